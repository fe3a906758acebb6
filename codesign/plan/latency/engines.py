# SPDX-License-Identifier: Apache-2.0
"""The engines as servers in program order: when an instruction starts, works and retires.

Every ``run`` takes a job, the cycle its tokens are there (``gate``), the cycle it was in its queue (``queued``), the arrivals
of its first and last parameter beat, and a factor by which others slow its work down. It answers with a `Run`.
"""

from __future__ import annotations

from codesign.plan.latency import hardware as hw
from codesign.plan.latency.jobs import Job

#: Cycles: ``accept`` leaves the queue, ``begin`` to ``end`` occupies engine and scratchpad, ``retire``; parameters are taken out
#: of their FIFO from ``take`` to ``taken``. (A plain tuple: thousands are made in a pass.)
Run = tuple[float, float, float, float, float, float]


class Pointwise:
    """Double-buffered weights: the next tile loads while the array works with the present one."""

    def __init__(self) -> None:
        self._head = 0.0  # the instruction before has left the queue
        self._present = 0.0  # the waiting register is free
        self._idle = 0.0  # the loader has the last tile
        self._end = 0.0  # the last pixel is issued
        self._release = 0.0  # the shadow tile is free
        self._promote = 0.0  # the shadow requantisation is free

    def run(self, job: Job, gate: float, queued: float, params: tuple[float, float], factor: float) -> Run:
        cycles, steps, high, requant, tile, exposed, step = job.shape
        first, last = params
        accept = gate if gate > self._present else self._present
        if hw.PARAMS_AHEAD_OF_TOKENS:
            loads = max(queued, self._head, self._idle)
            accept = max(accept, loads)
        else:
            loads = accept = max(accept, self._idle)
        at = loads + 1 if loads >= first else first
        if requant:
            at = max(at, self._promote) + requant
        at = max(at, self._release) + tile
        begin = max(at, self._end, accept + hw.ISSUE_CYCLES)
        last_tile = max(begin + steps * step, last + 1)
        end = last_tile + cycles + exposed * (factor - 1)
        self._idle = last_tile - step + high + hw.READ_LATENCY + tile if steps else at
        self._present = max(accept + 2, self._end - 1) + 1
        self._head = accept + 1
        self._end, self._release = end, last_tile + high + hw.READ_LATENCY
        if requant:
            self._promote = begin + hw.POINTWISE_PROMOTE
        return accept, begin, end, end + hw.POINTWISE_DRAIN, loads, self._idle


class Depthwise:
    """One instruction runs, the parameters and offsets of the next are fetched meanwhile."""

    def __init__(self) -> None:
        self._head = 0.0  # the instruction before has left the queue
        self._front = 0.0  # every stage has taken the job before
        self._end = 0.0
        self._loaded = 0.0
        self._retired = 0.0
        self._buffers = [0.0] * hw.PARAM_BUFFERS  # cycles in which they were freed, oldest first

    def run(self, job: Job, gate: float, queued: float, params: tuple[float, float], factor: float) -> Run:
        mac, deform, load, _ = job.shape
        accept, take, taken = max(gate, self._front), 0.0, 0.0
        if mac:
            shown = max(queued, self._head) if hw.PARAMS_AHEAD_OF_TOKENS else accept + hw.FRONT_CYCLES
            take = max(shown, self._loaded, self._buffers[0])
            taken = self._loaded = max(take + 1 + load, params[1] + 1)
            if hw.PARAMS_AHEAD_OF_TOKENS:
                accept = max(accept, take)
        self._head = accept + 1
        start = max(accept + hw.FRONT_CYCLES, self._end + hw.BETWEEN_JOBS - 1, taken + 1)
        self._front = max(start, self._retired - 2) + 1  # the writer takes its job after the last word before
        begin = max(start + 1, accept + hw.OFFSET_CYCLES) if deform else start + 1
        self._end = begin + job.work * factor
        self._retired = max(self._retired, self._end + (hw.MAC_TAIL if mac else hw.PICK_TAIL))
        if mac:
            self._buffers = [*self._buffers[1:], self._retired - 4]
        return accept, begin, self._end, self._retired, take, taken


class Load:
    """Bursts are requested ahead of the data of the load before."""

    def __init__(self, latency: int) -> None:
        self._latency = latency
        self._requested, self._end = 0.0, 0.0

    def run(self, job: Job, gate: float, queued: float, params: tuple[float, float], factor: float) -> Run:
        accept = max(gate, self._requested)
        begin = max(self._end, accept + self._latency + hw.ADDRESS_CYCLES - 1)
        self._end = begin + job.work * factor
        self._requested = max(accept + 2, self._end - job.shape[0])
        return accept, begin, self._end, self._end + hw.LOAD_TAIL, 0.0, 0.0


class Store:
    """The next store reads its words while the responses of this one are outstanding."""

    def __init__(self, latency: int, word_beats: int) -> None:
        self._latency, self._buffered = latency, (hw.STORE_BUFFER + 1) * word_beats
        self._requested, self._end = 0.0, 0.0

    def run(self, job: Job, gate: float, queued: float, params: tuple[float, float], factor: float) -> Run:
        accept = max(gate, self._requested)
        begin = max(self._end, accept + hw.STORE_FILL)
        self._end = begin + job.work * factor
        self._requested = max(accept + 2, self._end - self._buffered)
        return accept, begin, self._end, self._end + self._latency + hw.STORE_TAIL, 0.0, 0.0
