# SPDX-License-Identifier: Apache-2.0
"""Who runs at the same time, and how much they slow each other down: from a schedule to the next pass's factors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.plan.latency.banks import HALVES, Gather, Stream, speeds
from codesign.plan.latency.jobs import Job, grouped, pixel_cycles, reuses
from codesign.plan.latency.schedule import Factors, Schedule
from codesign.program import isa
from codesign.program.config import AcceleratorConfig

_LEAST_SHARE = 0.05  #: of a port that nobody is denied in the long run
_FIRST_GUESS = 1.2  #: by which a gather takes longer, before anything is known
_WIDEST_ROW = 64  #: pixels; longer rows gather alike


class Contention:
    """What the jobs of one program share; `factors` judges a schedule of them."""

    def __init__(self, config: AcceleratorConfig, dram: Dram, jobs: list[Job]):
        self._config, self._dram, self._jobs = config, dram, jobs
        self._engine = np.array([job.engine for job in jobs], np.int64)
        self._reads = np.array([job.reads for job in jobs], float)
        self._writes = np.array([job.writes for job in jobs], float)
        self._of = [np.flatnonzero(self._engine == e) for e in range(len(config.engines))]
        self._params = np.array([job.params for job in jobs], float)
        self._fetched = np.flatnonzero(self._params)
        self._patterns: list[object] = []
        numbers: dict[object, int] = {}
        self._pattern = np.zeros(len(jobs), np.int64)
        for index, job in enumerate(jobs):
            pattern = self._pattern_of(job)
            if pattern not in numbers:
                numbers[pattern] = len(self._patterns)
                self._patterns.append(pattern)
            self._pattern[index] = numbers[pattern]
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

    def _pattern_of(self, job: Job) -> object:
        v, config = job.values, self._config
        if job.engine == isa.Engine.POINTWISE:
            return v["stride"] % config.spad_banks, v.get("up", 0)
        if job.engine < isa.Engine.DEPTHWISE:
            return None
        mac = v.get("mode", 0) == isa.Mode.MAC
        reach = v.get("x0", 0) + (v["cols"] - 1) * v["stride"] + v["kw"] - v["in_w"]
        return Gather(
            pixel_cycles(config, v), v.get("mode", 0), v["kh"], v["kw"], v["stride"], v.get("pitch", 0) % config.spad_banks,
            v.get("up", 0), bool(v.get("deform")), v.get("w8", 0) if mac else 0,
            config.lanes // config.depthwise_requant if mac else 0,
            min(_WIDEST_ROW, v["cols"]), max(0, -v.get("x0", 0)), max(0, reach), (config.lanes // 4).bit_length() - 1,
            reuses(v), v.get("mode") == isa.Mode.WINDOW and grouped(config, v),
        )  # fmt: skip

    def first(self) -> Factors:
        """Before any schedule: units that meet others take a while longer."""
        ones = [1.0] * len(self._jobs)
        return Factors([_FIRST_GUESS if job.engine >= isa.Engine.DEPTHWISE else 1.0 for job in self._jobs], ones, [0.0] * len(ones))

    def factors(self, schedule: Schedule) -> Factors:
        """By how much each instruction is slowed down by those beside it in ``schedule``."""
        runs = np.array(schedule.runs).reshape(-1, 6)
        begin, end = runs[:, 1], runs[:, 2]
        work = np.ones(len(begin))
        self._gathers(begin, end, work)
        self._bank_writes(begin, end, work)
        fetch = np.array(schedule.fetches).reshape(-1, 2)
        params, delay = self._memory(begin, end, fetch, work)
        return Factors(work.tolist(), params.tolist(), delay.tolist())

    # -- scratchpad

    def _gathers(self, begin: np.ndarray, end: np.ndarray, work: np.ndarray) -> None:
        """Cut time where a reader begins or ends; in each piece the same patterns meet."""
        readers = self._engine != isa.Engine.LOAD
        cuts = np.unique(np.concatenate([begin[readers], end[readers]]).round())
        middle, length = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
        active = [self._active(e, begin, end, middle) for e in range(len(self._of))]
        gathering = np.any([a >= 0 for a in active[isa.Engine.DEPTHWISE :]], axis=0)
        if not gathering.any():
            return
        active, length = [a[gathering] for a in active], length[gathering]
        quarters = self._quarters(begin, end)
        phases = self._phases(active[isa.Engine.DEPTHWISE :], begin, end, middle[gathering])
        sets, which = self._sets(active, phases, quarters)
        table = np.array([self._speeds(row) for row in sets])
        spent, done = np.zeros(len(work)), np.zeros(len(work))
        for unit, a in enumerate(active[isa.Engine.DEPTHWISE :]):
            here = a >= 0
            spent += np.bincount(a[here], length[here], len(work))
            done += np.bincount(a[here], length[here] * table[which[here], unit], len(work))
        np.divide(spent, done, out=work, where=done > 0)

    def _active(self, engine: int, begin: np.ndarray, end: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Which instruction of ``engine`` is at work at each of these cycles, -1 for none."""
        mine = self._of[engine]
        if not len(mine):
            return np.full(len(at), -1)
        latest = mine[np.maximum(np.searchsorted(begin[mine], at) - 1, 0)]
        return np.where((begin[latest] <= at) & (at < end[latest]), latest, -1)

    def _quarters(self, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        return np.clip(np.ceil(4 * self._reads / np.maximum(end - begin, 1) - 0.3), 1, 4).astype(np.int64)

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

    def _phases(self, active: list[np.ndarray], begin: np.ndarray, end: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
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

    def _bank_writes(self, begin: np.ndarray, end: np.ndarray, work: np.ndarray) -> None:
        """A pointwise instruction that writes every cycle loses every second meeting with another writer."""
        mine = self._of[isa.Engine.POINTWISE]
        writers = [e for e in range(len(self._of)) if e not in (isa.Engine.STORE, isa.Engine.POINTWISE)]
        others = sum(self._rate(e, self._writes, begin, end)(begin[mine], end[mine]) for e in writers)
        work[mine] = 1 + others / (2 * self._config.spad_banks)

    # -- DRAM

    def _rate(self, engine: int, amount: np.ndarray, begin: np.ndarray, end: np.ndarray) -> Callable:
        """Mean rate of ``engine`` over given intervals, ``amount`` being what each instruction moves."""
        mine = self._of[engine]
        return _mean_rate(begin[mine], end[mine], amount[mine])

    def _memory(
        self, begin: np.ndarray, end: np.ndarray, fetch: np.ndarray, work: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loads, stores and parameters share the memory's beats, with one port loads and parameters also that port."""
        beats, shared = self._writes * self._config.word_beats, self._config.memory_ports == 1
        fetched = self._fetched
        loads = self._rate(isa.Engine.LOAD, beats, begin, end)
        stores = self._rate(isa.Engine.STORE, beats, begin, end)
        params = _mean_rate(fetch[fetched, 0], fetch[fetched, 1], self._params[fetched])
        limit = self._dram.bytes_per_cycle / 8
        for engine, other in ((isa.Engine.LOAD, stores), (isa.Engine.STORE, loads)):
            mine = self._of[engine]
            busy = params(begin[mine], end[mine])
            total = 1 + busy + other(begin[mine], end[mine])
            work[mine] = np.maximum(1, total / limit)
            if shared and engine == isa.Engine.LOAD:
                work[mine] = np.maximum(work[mine], 1 / np.maximum(1 - busy, _LEAST_SHARE))
        factor, delay = np.ones(len(begin)), np.zeros(len(begin))
        busy = loads(fetch[fetched, 0], fetch[fetched, 1])
        total = 1 + busy + stores(fetch[fetched, 0], fetch[fetched, 1])
        factor[fetched] = np.maximum(1, total / limit)
        if shared:  # the bursts of loads that are on their way come first
            delay[fetched] = busy * (hw.MAX_OUTSTANDING - 1) * hw.MAX_BEATS
        return factor, delay


def _mean_rate(begin: np.ndarray, end: np.ndarray, amount: np.ndarray) -> Callable:
    """Mean of a rate over intervals: ``amount[i]`` is spread evenly from ``begin[i]`` to ``end[i]``, in order."""
    if not len(begin):
        return lambda first, last: np.zeros(len(first))
    moved = np.cumsum(amount)
    at, level = np.stack([begin, end], 1).ravel(), np.stack([moved - amount, moved], 1).ravel()

    def mean(first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return (np.interp(last, at, level) - np.interp(first, at, level)) / np.maximum(last - first, 1)

    return mean
