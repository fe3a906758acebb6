# SPDX-License-Identifier: Apache-2.0
"""Which readers meet at the scratchpad, and what that costs the depthwise units."""

from __future__ import annotations

import numpy as np

from codesign.plan.latency.banks import HALVES, Gather, Stream, speeds
from codesign.plan.latency.jobs import Job, grouped, reuses
from codesign.program import isa
from codesign.program.config import AcceleratorConfig

_WIDEST_ROW = 64  #: pixels; longer rows gather alike


class Crowds:
    """The access patterns of a program's jobs; `factors` tells what they cost each other in a schedule.

    ``of[engine]`` are the numbers of the engine's jobs.
    """

    def __init__(self, config: AcceleratorConfig, jobs: list[Job], of: list[np.ndarray]):
        self._config, self._of = config, of
        self._reads = np.array([job.reads for job in jobs], float)
        numbers: dict[object, int] = {}
        patterns = [_pattern(config, job) for job in jobs]
        self._pattern = np.array([numbers.setdefault(p, len(numbers)) for p in patterns], np.int64)
        self._patterns = list(numbers)
        self._walks(jobs)

    def _walks(self, jobs: list[Job]) -> None:
        """Where the instructions that read packed words are, in `HALVES` of a word: at the start, and per output column."""
        self._origin, self._advance = np.zeros(len(jobs)), np.zeros(len(jobs))
        self._cols, self._pixels = np.ones(len(jobs)), np.ones(len(jobs))
        for index, job in enumerate(jobs):
            v = job.values
            if v.get("mode") == isa.Mode.WINDOW:
                per_word = self._config.lanes // 4 / HALVES
                self._origin[index] = v.get("src", 0) * HALVES + v.get("x0", 0) / per_word
                self._advance[index] = v["stride"] / per_word
                self._cols[index], self._pixels[index] = v["cols"], job.writes

    def factors(self, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """How many times as long every gather takes; 1 for all others. ``begin`` and ``end``: of every job's work.

        Time is cut where a reader begins or ends: in each piece the same patterns meet.
        """
        readers = np.concatenate(self._of[isa.Engine.STORE :])
        cuts = np.unique(np.concatenate([begin[readers], end[readers]]).round())
        middle, length = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
        active = [self._active(e, begin, end, middle) for e in range(len(self._of))]
        gathering = np.any([a >= 0 for a in active[isa.Engine.DEPTHWISE :]], axis=0)
        factors = np.ones(len(begin))
        if not gathering.any():
            return factors
        active, length = [a[gathering] for a in active], length[gathering]
        phases = self._phases(active[isa.Engine.DEPTHWISE :], begin, end, middle[gathering])
        sets, which = self._sets(active, phases, self._quarters(begin, end))
        table = np.array([self._speeds(row) for row in sets])
        spent, done = np.zeros(len(begin)), np.zeros(len(begin))
        for unit, a in enumerate(active[isa.Engine.DEPTHWISE :]):
            here = a >= 0
            spent += np.bincount(a[here], length[here], len(begin))
            done += np.bincount(a[here], length[here] * table[which[here], unit], len(begin))
        return np.divide(spent, done, out=factors, where=done > 0)

    def _active(self, engine: int, begin: np.ndarray, end: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Which instruction of ``engine`` is at work at each of these cycles, -1 for none."""
        mine = self._of[engine]
        if not len(mine):
            return np.full(len(at), -1)
        latest = mine[np.maximum(np.searchsorted(begin[mine], at) - 1, 0)]
        return np.where((begin[latest] <= at) & (at < end[latest]), latest, -1)

    def _quarters(self, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        return np.clip(np.ceil(4 * self._reads / np.maximum(end - begin, 1) - 0.3), 1, 4).astype(np.int64)

    def _phases(
        self, active: list[np.ndarray], begin: np.ndarray, end: np.ndarray, at: np.ndarray
    ) -> list[np.ndarray]:
        """In which part of which bank the units that read packed words are, in `HALVES` of a word from the first one's."""
        levels = self._config.spad_banks * HALVES
        reference, phases = np.full(len(at), -1), []
        for a in active:
            share = np.clip((at - begin[a]) / np.maximum(end[a] - begin[a], 1), 0, 1)
            column = (share * self._pixels[a]) % self._cols[a]
            phase = np.floor(self._origin[a] + column * self._advance[a]).astype(np.int64) % levels
            packed = (a >= 0) & (self._advance[a] > 0)
            reference = np.where(packed & (reference < 0), phase, reference)
            phases.append(np.where(packed, (phase - reference) % levels, 0))
        return phases

    def _sets(
        self, active: list[np.ndarray], phases: list[np.ndarray], quarters: np.ndarray
    ) -> tuple[list[tuple[int, ...]], np.ndarray]:
        """The different sets of patterns: store, quarters, pointwise pattern, then a unit's pattern and phase; 0 for none."""
        store, pointwise, *units = active[isa.Engine.STORE :]
        columns = [store >= 0, np.where(pointwise >= 0, quarters[pointwise], 0)]
        columns += [np.where(a >= 0, self._pattern[a] + 1, 0) for a in (pointwise, *units)]
        columns[3:] = [column for pair in zip(columns[3:], phases, strict=True) for column in pair]
        code = np.zeros(len(store), np.int64)
        for column in columns:  # renumbered after every column, so that no product of ranges overflows
            _, code = np.unique(code * (int(column.max(initial=0)) + 1) + column, return_inverse=True)
        _, first, which = np.unique(code, return_index=True, return_inverse=True)
        return [tuple(int(column[i]) for column in columns) for i in first], which

    def _speeds(self, row: tuple[int, ...]) -> list[float]:
        store, quarters, pointwise, *units = row
        stream = Stream(quarters, *self._patterns[pointwise - 1]) if pointwise else None
        order = sorted((units[2 * u], units[2 * u + 1], u) for u in range(len(units) // 2) if units[2 * u])
        gathers = tuple(self._patterns[n - 1]._replace(phase=phase) for n, phase, _ in order)
        answer = [1.0] * (len(units) // 2)
        found = speeds(self._config.spad_banks, stream, gathers, self._config.word_beats if store else 0)
        for (_, _, unit), speed in zip(order, found, strict=True):
            answer[unit] = speed
        return answer


def _pattern(config: AcceleratorConfig, job: Job) -> object:
    """What tells a job's reads from another's: a `Gather`, or (step, up) of a `Stream`; None for a transfer."""
    v = job.values
    if job.engine == isa.Engine.POINTWISE:
        return v["stride"] % config.spad_banks, v.get("up", 0)
    if job.engine < isa.Engine.DEPTHWISE:
        return None
    mac, deform = v.get("mode", 0) == isa.Mode.MAC, v.get("deform", 0)
    add = v.get("mode", 0) == isa.Mode.ADD  # two words a pixel
    beyond = v.get("x0", 0) + (v["cols"] - 1) * v["stride"] + v["kw"] - v["in_w"]
    return Gather(
        job.shape[-1], v.get("mode", 0), v["kh"], 2 if add else v["kw"], v["stride"], v.get("pitch", 0) % config.spad_banks,
        v.get("up", 0), bool(deform), v.get("w8", 0) if mac else 0,
        config.lanes // config.depthwise_requant * (1 + add) if mac or add else 0,
        min(_WIDEST_ROW, v["cols"]), max(0, -v.get("x0", 0)), max(0, beyond), (config.lanes // 4).bit_length() - 1,
        reuses(v) and not add, v.get("mode") == isa.Mode.WINDOW and grouped(config, v),
        v["in_h"] if deform else 0, v["in_w"] if deform else 0, deform == isa.Deform.PAIRS,
    )  # fmt: skip
