# SPDX-License-Identifier: Apache-2.0
"""Dispatcher and parameter fetcher: when an instruction reaches its queue, and when its parameters arrive."""

from __future__ import annotations

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.program import isa
from codesign.program.config import AcceleratorConfig

_FIRST = int(isa.Engine.POINTWISE)  #: engine of the first parameter FIFO


class Dispatcher:
    """Instructions in program order, one in eight beats; a full queue holds up all behind it."""

    def __init__(self, config: AcceleratorConfig, dram: Dram):
        per_buffer = hw.PROGRAM_BUFFER // isa.INSTRUCTION_BEATS
        refill = (dram.latency_cycles + hw.MAX_BEATS + hw.ADDRESS_CYCLES) / per_buffer
        self._interval = max(float(isa.INSTRUCTION_BEATS), refill)
        self._depth = config.queue_depth
        self._left: list[list[float]] = [[] for _ in config.engines]  # when instructions left their queue
        self.now = float(dram.latency_cycles + hw.START_CYCLES)

    def next(self, engine: int, requested: float) -> float:
        """Cycle the next instruction is at its queue's end; ``requested``: when the parameter fetcher can take a request."""
        left = self._left[engine]
        self.now += self._interval
        if len(left) >= self._depth and left[-self._depth] >= self.now:
            self.now = left[-self._depth] + 1
        if requested > self.now:
            self.now = requested
        return self.now

    def leave(self, engine: int, accept: float) -> None:
        """The instruction just dispatched leaves its queue."""
        self._left[engine].append(accept)


class _Fifo:
    """Parameter FIFO of one engine: how far its consumption lets the fetcher run ahead."""

    def __init__(self, depth: int):
        self._room = depth
        self._tail = 0  # first request not known to be consumed
        self._uses: list[tuple[int, float, float]] = []  # beats, consumed from, to

    def room_at(self, beats: int) -> float:
        """Cycle by which ``beats`` more beats have room."""
        at = 0.0
        while self._room < beats and self._tail < len(self._uses):
            held, first, last = self._uses[self._tail]
            missing = beats - self._room
            if missing < held:
                return first + (last - first) * missing / held
            self._room += held
            self._tail += 1
            at = last
        return at

    def put(self, beats: int, take: float, taken: float) -> None:
        self._room -= beats
        self._uses.append((beats, take, taken))


class ParamFetch:
    """Requests in order, a beat a cycle, program bursts in between; a full FIFO holds up the requests behind it."""

    def __init__(self, config: AcceleratorConfig, dram: Dram):
        self._delay = float(dram.latency_cycles + hw.ADDRESS_CYCLES)
        depths = [config.pointwise_param_beats, *[config.depthwise_param_beats] * config.depthwise_units]
        self._fifos = [_Fifo(depth) for depth in depths]
        self._end = 0.0  # arrival of the last beat asked for
        self._program_beats = 0.0  # of instructions since the last request
        self._begun: list[float] = []  # when a request left the waiting list

    def nothing(self) -> tuple[float, float]:
        """An instruction without parameters: only its own beats share the read port."""
        self._program_beats += isa.INSTRUCTION_BEATS
        return 0.0, 0.0

    def free(self) -> float:
        """Cycle from which one more request may wait."""
        return self._begun[-hw.PARAM_REQUESTS] if len(self._begun) >= hw.PARAM_REQUESTS else 0.0

    def request(self, engine: int, beats: int, cycles: float, at: float, delay: float) -> tuple[float, float]:
        """(first, last) arrival of ``beats`` asked for at cycle ``at``, which take ``cycles`` to arrive."""
        arrival = self._delay + delay
        first = at + arrival
        if self._end > first:
            first = self._end
        room = self._fifos[engine - _FIRST].room_at(beats)
        last = first + cycles + self._program_beats + isa.INSTRUCTION_BEATS
        if room and room + arrival + hw.MAX_BEATS > last:
            last = room + arrival + hw.MAX_BEATS
        self._program_beats = 0.0
        self._begun.append(max(first, last - beats) - arrival)
        self._end = last
        return first, last

    def consume(self, engine: int, beats: int, take: float, taken: float) -> None:
        """The beats last requested leave their FIFO from ``take`` to ``taken``."""
        self._fifos[engine - _FIRST].put(beats, take, taken)
