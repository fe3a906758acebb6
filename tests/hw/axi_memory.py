# SPDX-License-Identifier: Apache-2.0
"""An AXI4 memory for benches: random latency and stalls, error answers, and the accelerator's burst rules
checked."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

from hw.axi import BEAT_BYTES, BOUNDARY, CACHE, INCR, MAX_BEATS, MAX_OUTSTANDING, SIZE
from sim.streams import Ticker

OKAY, SLVERR = 0, 2


@dataclass
class Burst:
    address: int
    beats: int
    due: int  #: cycle from which it may be answered


class _Channel:
    """What both directions share: the address channel, with the rules every burst must keep."""

    def __init__(
        self, dut: Any, prefix: str, kind: str, rng: random.Random, latency: tuple[int, int], stall: float
    ):
        self.ports = {
            name: getattr(dut, prefix + kind + name)
            for name in ("addr", "len", "size", "burst", "cache", "valid")
        }
        self.kind, self.rng, self.latency, self.stall = kind, rng, latency, stall
        self.ready_port = getattr(dut, prefix + kind + "ready")
        self.ready = False
        self.ready_port.value = 0
        self.offered: tuple[int, int] | None = None
        self.bursts: list[Burst] = []  #: every burst seen
        self.open: deque[Burst] = deque()

    def paused(self) -> bool:
        return self.stall > 0 and self.rng.random() < self.stall

    def tick(self, cycle: int) -> Burst | None:
        """The burst accepted in this cycle."""
        shown = {name: int(port.value) for name, port in self.ports.items()}
        burst = None
        if self.offered is not None:
            assert shown["valid"], f"{self.kind}valid fell before {self.kind}ready"
            assert self.offered == (shown["addr"], shown["len"]), (
                f"{self.kind}addr changed before {self.kind}ready"
            )
        self.offered = (shown["addr"], shown["len"]) if shown["valid"] and not self.ready else None
        if shown["valid"] and self.ready:
            burst = Burst(shown["addr"], shown["len"] + 1, cycle + self.rng.randint(*self.latency))
            end = burst.address + burst.beats * BEAT_BYTES - 1
            assert burst.beats <= MAX_BEATS and burst.address // BOUNDARY == end // BOUNDARY, (
                f"illegal burst {burst}"
            )
            assert burst.address % BEAT_BYTES == 0, f"unaligned burst {burst}"
            assert (shown["size"], shown["burst"], shown["cache"]) == (SIZE, INCR, CACHE)
            self.open.append(burst)
            self.bursts.append(burst)
            assert len(self.open) <= MAX_OUTSTANDING, f"{len(self.open)} bursts outstanding on {self.kind}"
        self.ready = not self.paused()
        self.ready_port.value = int(self.ready)
        return burst


class AxiReads:
    """Answers reads from ``memory``; addresses in ``bad`` are answered SLVERR."""

    def __init__(
        self,
        dut: Any,
        prefix: str,
        memory: bytearray,
        rng: random.Random,
        latency: tuple[int, int] = (5, 60),
        stall: float = 0.2,
    ):
        self.memory, self.bad = memory, range(0)
        self.address = _Channel(dut, prefix, "ar", rng, latency, stall)
        self.data, self.resp, self.last, self.valid, self.ready = (
            getattr(dut, prefix + "r" + name) for name in ("data", "resp", "last", "valid", "ready")
        )
        self.valid.value = 0
        self.showing = False
        self.at = 0  #: beats of the first open burst already answered
        self.beats = 0
        self.ticker = Ticker.of(dut)
        self.ticker.agents.append(self)

    def tick(self) -> None:
        if self.showing and int(self.ready.value):
            self.showing = False
            self.valid.value = 0
            self.beats += 1
            self.at += 1
            if self.at == self.address.open[0].beats:
                self.address.open.popleft()
                self.at = 0
        self.address.tick(self.ticker.cycle)
        queue = self.address.open
        if not self.showing and queue and queue[0].due <= self.ticker.cycle and not self.address.paused():
            address = queue[0].address + self.at * BEAT_BYTES
            self.showing = True
            self.valid.value = 1
            self.data.value = int.from_bytes(self.memory[address : address + BEAT_BYTES], "little")
            self.resp.value = SLVERR if address in self.bad else OKAY
            self.last.value = int(self.at == queue[0].beats - 1)


class AxiWrites:
    """Takes writes into ``memory``; addresses in ``bad`` are answered SLVERR."""

    def __init__(
        self,
        dut: Any,
        prefix: str,
        memory: bytearray,
        rng: random.Random,
        latency: tuple[int, int] = (5, 60),
        stall: float = 0.2,
    ):
        self.memory, self.bad = memory, range(0)
        self.address = _Channel(dut, prefix, "aw", rng, latency, stall)
        self.data, self.strobe, self.last, self.valid, self.ready = (
            getattr(dut, prefix + "w" + name) for name in ("data", "strb", "last", "valid", "ready")
        )
        self.resp, self.bvalid, self.bready = (
            getattr(dut, prefix + "b" + name) for name in ("resp", "valid", "ready")
        )
        self.ready.value, self.bvalid.value = 0, 0
        self.is_ready = self.showing = False
        self.waiting: deque[tuple[int, int, int]] = deque()  #: beats whose address has not been seen
        self.at = 0
        self.written = 0  #: bytes
        self.beats = 0
        self.answers: deque[Burst] = deque()
        self.ticker = Ticker.of(dut)
        self.ticker.agents.append(self)

    def tick(self) -> None:
        if int(self.valid.value) and self.is_ready:
            self.waiting.append((int(self.data.value), int(self.strobe.value), int(self.last.value)))
            self.beats += 1
        if self.showing and int(self.bready.value):
            self.showing = False
            self.bvalid.value = 0
            self.answers.popleft()
            self.address.open.popleft()
        self.address.tick(self.ticker.cycle)
        while self.waiting and len(self.address.open) > len(self.answers):
            self._beat(self.address.open[len(self.answers)])
        if not self.showing and self.answers and self.answers[0].due <= self.ticker.cycle:
            self.showing = True
            self.bvalid.value = 1
            self.resp.value = SLVERR if self.answers[0].address in self.bad else OKAY
        self.is_ready = not self.address.paused()
        self.ready.value = int(self.is_ready)

    def _beat(self, burst: Burst) -> None:
        data, strobe, last = self.waiting.popleft()
        address = burst.address + self.at * BEAT_BYTES
        for lane in range(BEAT_BYTES):
            if strobe >> lane & 1:
                self.memory[address + lane] = data >> 8 * lane & 0xFF
                self.written += 1
        self.at += 1
        assert last == (self.at == burst.beats), f"wlast at beat {self.at} of {burst}"
        if self.at == burst.beats:
            self.at = 0
            burst.due = self.ticker.cycle + self.address.rng.randint(*self.address.latency)
            self.answers.append(burst)
