# SPDX-License-Identifier: Apache-2.0
"""One pass over a program: every instruction's cycles, given by how much others slow it down.

An instruction only waits for earlier ones, so one pass in program order is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.plan.latency.engines import Depthwise, Load, Pointwise, Run, Store
from codesign.plan.latency.fetch import Dispatcher, ParamFetch
from codesign.plan.latency.jobs import Job
from codesign.program.config import AcceleratorConfig


@dataclass
class Factors:
    """Per instruction: ``work`` takes so many times as long, ``params`` likewise, ``delay`` cycles until their first beat."""

    work: list[float]
    params: list[float]
    delay: list[float]


@dataclass(frozen=True)
class Schedule:
    """Per instruction its `Run` and the (first, last) arrival of its parameters."""

    runs: list[Run]
    fetches: list[tuple[float, float]]


def schedule(config: AcceleratorConfig, dram: Dram, jobs: list[Job], factors: Factors) -> Schedule:
    """Cycles from the start write."""
    latency = dram.latency_cycles
    engines = [Load(latency), Store(latency, config.word_beats), Pointwise()]
    engines += [Depthwise() for _ in range(config.depthwise_units)]
    dispatcher, fetch = Dispatcher(config, dram), ParamFetch(config, dram)
    visible: list[list[float]] = [[0.0] for _ in engines]  # when the gates see the n-th retirement
    runs, fetches = [], []
    serve, request = [engine.run for engine in engines], fetch.request
    for job, factor, stretch, delay in zip(jobs, factors.work, factors.params, factors.delay, strict=True):
        engine, beats = job.engine, job.params
        gate = queued = dispatcher.next(engine, fetch.free() if beats else 0.0) + hw.DISPATCH_CYCLES
        arrivals = request(engine, beats, job.fetch * stretch, queued, delay) if beats else fetch.nothing()
        for other, count in job.waits:
            at = visible[other][count]
            if at > gate:
                gate = at
        run = serve[engine](job, gate, queued, arrivals, factor)
        accept, _, _, retire, take, taken = run
        dispatcher.leave(engine, accept)
        if beats:
            fetch.consume(engine, beats, take, taken)
        seen = visible[engine]
        at = retire + hw.TOKEN_CYCLES
        seen.append(at if at > seen[-1] else seen[-1])
        runs.append(run)
        fetches.append(arrivals)
    return Schedule(runs, fetches)
