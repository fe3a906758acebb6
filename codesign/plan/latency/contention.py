# SPDX-License-Identifier: Apache-2.0
"""Who runs at the same time, and how much they slow each other down: from a schedule to the next pass's factors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.plan.latency.crowds import Crowds
from codesign.plan.latency.jobs import Job
from codesign.plan.latency.schedule import Factors, Schedule
from codesign.program import isa
from codesign.program.config import AcceleratorConfig

_FIRST_GUESS = 1.1  #: by which a gather takes longer, before anything is known
_LEAST_SHARE = 0.05  #: of a port that nobody is denied in the long run


class Contention:
    """What the jobs of one program share; `factors` judges a schedule of them."""

    def __init__(self, config: AcceleratorConfig, dram: Dram, jobs: list[Job]):
        self._config, self._dram = config, dram
        engine = np.array([job.engine for job in jobs], np.int64)
        self._of = [np.flatnonzero(engine == e) for e in range(len(config.engines))]
        self._writes = np.array([job.writes for job in jobs], float)
        self._params = np.array([job.params for job in jobs], float)
        self._fetched = np.flatnonzero(self._params)
        self._crowds = Crowds(config, jobs, self._of)

    def first(self) -> Factors:
        """Before any schedule: units that meet others take a while longer."""
        work = np.ones(len(self._writes))
        for mine in self._of[isa.Engine.DEPTHWISE :]:
            work[mine] = _FIRST_GUESS
        ones = np.ones(len(work))
        return Factors(work.tolist(), ones.tolist(), (0 * ones).tolist())

    def factors(self, schedule: Schedule) -> Factors:
        """By how much each instruction is slowed down by those beside it in ``schedule``."""
        runs = np.array(schedule.runs).reshape(-1, 6)
        begin, end = runs[:, 1], runs[:, 2]
        work = self._crowds.factors(begin, end)
        self._bank_writes(begin, end, work)
        params, delay = self._memory(begin, end, np.array(schedule.fetches).reshape(-1, 2), work)
        return Factors(work.tolist(), params.tolist(), delay.tolist())

    def _rate(self, engine: int, amount: np.ndarray, begin: np.ndarray, end: np.ndarray) -> Callable:
        """Mean rate of ``engine`` over given intervals, ``amount`` being what each instruction moves."""
        mine = self._of[engine]
        return _mean_rate(begin[mine], end[mine], amount[mine])

    def _bank_writes(self, begin: np.ndarray, end: np.ndarray, work: np.ndarray) -> None:
        """A pointwise instruction that writes every cycle loses every second meeting with another writer."""
        mine = self._of[isa.Engine.POINTWISE]
        writers = [e for e in range(len(self._of)) if e not in (isa.Engine.STORE, isa.Engine.POINTWISE)]
        others = sum(self._rate(e, self._writes, begin, end)(begin[mine], end[mine]) for e in writers)
        work[mine] = 1 + others / (2 * self._config.spad_banks)

    def _memory(
        self, begin: np.ndarray, end: np.ndarray, fetch: np.ndarray, work: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loads, stores and parameters share the memory's beats, with one port loads and parameters also that port.

        Answers with the parameters' factors and delays; those of loads and stores go into ``work``.
        """
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
