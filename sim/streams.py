# SPDX-License-Identifier: Apache-2.0
"""A small vocabulary for cocotb benches over Amaranth streams: put, get, expect, with idle and back-pressure.

    clock = await start(dut)                       # clock running, reset done
    source, sink = Source(dut, "i", rng, idle=0.3), Sink(dut, "o", rng, stall=0.5)
    source.send(values)
    await sink.expect(values)

Every agent is a plain function that one coroutine calls at each rising edge: it sees the values just before
the edge and drives those after it. A payload is one integer, as Amaranth emits a structure as one port; with
a ``layout`` (Amaranth `data.Layout`) it may be given, and is returned, as a dictionary.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

PERIOD_NS = 10
PATIENCE = 20_000  #: cycles without a transfer after which a waiting test fails


class Agent(Protocol):
    """Anything the ticker drives: called once a cycle, just before the edge."""

    def tick(self) -> None: ...


class Ticker:
    """The one coroutine of a bench: counts cycles and calls every agent."""

    _of: ClassVar[dict[int, Ticker]] = {}

    def __init__(self, dut: Any):
        self.dut = dut
        self.cycle = 0
        self.agents: list[Agent] = []

    @classmethod
    def of(cls, dut: Any) -> Ticker:
        return cls._of.setdefault(id(dut), cls(dut))

    async def edge(self) -> None:
        """Wait for the next rising edge (a design without a clock gets a timer)."""
        if hasattr(self.dut, "clk"):
            await RisingEdge(self.dut.clk)
        else:
            await Timer(PERIOD_NS, "ns")

    async def run(self) -> None:
        while True:
            await self.edge()
            for agent in self.agents:
                agent.tick()
            self.cycle += 1


async def start(dut: Any, reset_cycles: int = 2) -> Ticker:
    """Start the clock, reset the design, and start the agents of this test."""
    Ticker._of[id(dut)] = ticker = Ticker(dut)
    if hasattr(dut, "clk"):
        Clock(dut.clk, PERIOD_NS, "ns").start(start_high=False)
    if hasattr(dut, "rst"):
        dut.rst.value = 1
        for _ in range(reset_cycles):
            await ticker.edge()
        dut.rst.value = 0
    await ticker.edge()
    cocotb.start_soon(ticker.run())
    return ticker


async def cycles(dut: Any, count: int) -> None:
    """Wait ``count`` cycles."""
    ticker = Ticker.of(dut)
    for _ in range(count):
        await ticker.edge()


def pack(layout: Any, value: Any) -> int:
    """Integer of a payload; dictionaries (nested ones too) go through the layout. Unnamed fields are 0."""
    if layout is None or not isinstance(value, dict):
        return int(value)
    unknown = set(value) - {key for key, _ in layout}
    if unknown:
        raise KeyError(f"the layout has no field {sorted(unknown)}")
    word = 0
    for key, field in layout:
        if key in value:
            inner = field.shape if hasattr(field.shape, "__iter__") and isinstance(value[key], dict) else None
            word |= (pack(inner, value[key]) & ((1 << field.width) - 1)) << field.offset
    return word


def unpack(layout: Any, word: int) -> Any:
    """Inverse of `pack`: a dictionary, signed where the layout says so; without a layout the integer."""
    from amaranth import Shape
    from amaranth.lib import data

    if layout is None:
        return word
    fields: dict[Any, Any] = {}
    for key, field in layout:
        bits = (word >> field.offset) & ((1 << field.width) - 1)
        if isinstance(field.shape, data.Layout):
            fields[key] = unpack(field.shape, bits)
        else:
            signed = Shape.cast(field.shape).signed and bits >> (field.width - 1)
            fields[key] = bits - (1 << field.width) if signed else bits
    return fields


class _Stream:
    def __init__(self, dut: Any, prefix: str, rng: random.Random | None, pause: float, layout: Any):
        self.prefix, self.layout = prefix, layout
        self.rng = rng or random.Random(prefix)
        self.pause = pause
        self.valid = getattr(dut, f"{prefix}__valid")
        self.ready = getattr(dut, f"{prefix}__ready", None)
        self.payload = getattr(dut, f"{prefix}__payload", None)
        self.ticker = Ticker.of(dut)
        self.transfers: list[int] = []  #: cycle number of every transfer
        self.ticker.agents.append(self)

    def paused(self) -> bool:
        return self.pause > 0 and self.rng.random() < self.pause

    async def wait_for(self, condition: Any, what: str) -> None:
        seen, patience = len(self.transfers), PATIENCE
        while not condition():
            await self.ticker.edge()
            patience = PATIENCE if len(self.transfers) != seen else patience - 1
            seen = len(self.transfers)
            if patience == 0:
                raise TimeoutError(
                    f"{self.prefix}: {PATIENCE} cycles without a transfer, waiting for {what} ({seen} so far)"
                )

    def tick(self) -> None:
        raise NotImplementedError


class Source(_Stream):
    """Drives a stream into the design; with probability ``idle`` a cycle shows nothing between two values."""

    def __init__(
        self, dut: Any, prefix: str, rng: random.Random | None = None, idle: float = 0.0, layout: Any = None
    ):
        super().__init__(dut, prefix, rng, idle, layout)
        self.queue: deque[int] = deque()
        self.showing = False
        self.valid.value = 0

    def send(self, values: Iterable[Any]) -> None:
        """Queue values; returns at once."""
        self.queue.extend(pack(self.layout, value) for value in values)

    async def put(self, value: Any) -> None:
        """Queue one value and wait until everything queued is accepted."""
        self.send([value])
        await self.drained()

    async def drained(self) -> None:
        """Wait until everything queued is accepted."""
        await self.wait_for(lambda: not self.queue, f"ready, {len(self.queue)} values left")

    def tick(self) -> None:
        if self.showing and (self.ready is None or int(self.ready.value)):
            self.queue.popleft()
            self.transfers.append(self.ticker.cycle)
            self.showing = False
            self.valid.value = 0
        if not self.showing and self.queue and not self.paused():
            self.showing = True
            self.valid.value = 1
            if self.payload is not None:
                self.payload.value = self.queue[0]


class Sink(_Stream):
    """Takes a stream from the design; with probability ``stall`` a cycle is not ready. Checks that the design
    keeps ``valid`` and the payload until they are taken."""

    def __init__(
        self, dut: Any, prefix: str, rng: random.Random | None = None, stall: float = 0.0, layout: Any = None
    ):
        super().__init__(dut, prefix, rng, stall, layout)
        self.received: deque[int] = deque()
        self.offered: int | None = None
        self.is_ready = False
        if self.ready is not None:
            self.ready.value = 0

    async def get(self) -> Any:
        """The next value."""
        await self.wait_for(lambda: self.received, "a value")
        return unpack(self.layout, self.received.popleft())

    async def expect(self, values: Sequence[Any]) -> None:
        """The next values must be these; the message names the first that differs."""
        for index, want in enumerate(values):
            got = await self.get()
            if isinstance(want, dict) and isinstance(got, dict):
                got = {key: got[key] for key in want}
            assert got == want, f"{self.prefix}: value {index} of {len(values)}: got {got!r}, want {want!r}"

    def expect_nothing(self) -> None:
        """Nothing may be left over."""
        assert not self.received, (
            f"{self.prefix}: {len(self.received)} values too many, the first {self.received[0]:#x}"
        )

    def tick(self) -> None:
        valid = int(self.valid.value)
        payload = int(self.payload.value) if valid and self.payload is not None else 0
        if self.offered is not None:
            assert valid, f"{self.prefix}: valid fell before ready"
            assert payload == self.offered, (
                f"{self.prefix}: payload changed before ready, {self.offered:#x} to {payload:#x}"
            )
        taken = valid and (self.is_ready or self.ready is None)
        if taken:
            self.received.append(payload)
            self.transfers.append(self.ticker.cycle)
        self.offered = payload if valid and not taken else None
        if self.ready is not None:
            self.is_ready = not self.paused()
            self.ready.value = int(self.is_ready)
