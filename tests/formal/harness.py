# SPDX-License-Identifier: Apache-2.0
"""Properties of the control blocks, as harnesses around them whose ports the solver may drive at will."""

from __future__ import annotations

from typing import Any

from amaranth import Module, ResetSignal, Signal, Value, unsigned
from amaranth.hdl import Assert, Assume
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from codesign.program import isa
from hw.axi import BEAT_BYTES, MAX_BEATS
from hw.layouts import HEADER


class Harness(wiring.Component):
    """``dut`` under free inputs; reset is never asserted after the start."""

    def __init__(self, dut: Any, inputs: dict[str, Any]):
        self.dut = dut
        super().__init__({name: In(shape) for name, shape in inputs.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = self.dut
        m.d.comb += Assume(~ResetSignal())
        self.check(m)
        return m

    def constant(self, m: Module, value: Signal) -> None:
        """``value`` is free, but never changes."""
        before, later = Signal.like(value, name="before"), Signal(name="later")
        m.d.sync += [before.eq(value), later.eq(1)]
        m.d.comb += Assume(~later | (before == value))

    def drive(self, m: Module, port: Any, **names: str) -> None:
        """Members of ``port`` driven by the free inputs of those names."""
        for member, name in names.items():
            m.d.comb += getattr(port, member).eq(getattr(self, name))

    def past(self, m: Module, value: Any, name: str) -> Signal:
        """``value`` in the cycle before; 0 in the first."""
        before = Signal(Value.cast(value).shape(), name=f"past_{name}")
        m.d.sync += before.eq(value)
        return before

    def check(self, m: Module) -> None:
        raise NotImplementedError


class QueueKeepsOrder(Harness):
    """The n-th instruction out is the n-th in, for every n: none is lost, doubled or overtaken, and the level
    is what came in minus what went out, at most the depth."""

    def __init__(self, queue: Any, depth: int):
        self.depth = depth
        inputs = {"valid": 1, "ready": 1, "payload": 2, "which": 3}
        super().__init__(queue, inputs)

    def check(self, m: Module) -> None:
        queue, which = self.dut, self.which
        ins, outs = Signal(3), Signal(3)
        value, seen = Signal(2), Signal()
        self.constant(m, which)
        m.d.comb += [
            queue.i.valid.eq(self.valid),
            queue.i.payload.eq(self.payload),
            queue.o.ready.eq(self.ready),
        ]
        with m.If(queue.i.valid & queue.i.ready):
            m.d.sync += ins.eq(ins + 1)
            with m.If((ins == which) & ~seen):
                m.d.sync += [value.eq(queue.i.payload), seen.eq(1)]
        first = Signal(init=1)
        with m.If(queue.o.valid & queue.o.ready):
            m.d.sync += outs.eq(outs + 1)
            with m.If((outs == which) & first):
                m.d.comb += [Assert(seen), Assert(queue.o.payload == value)]
                m.d.sync += first.eq(0)
        held = Signal(3)
        m.d.comb += [held.eq(ins - outs), Assert(held == queue.level), Assert(queue.level <= self.depth)]
        m.d.comb += [Assert(queue.o.valid == (held != 0)), Assert(queue.i.ready == (held != self.depth))]


class CountersCount(Harness):
    """Each counter is the number of its engine's retire pulses."""

    def __init__(self, counters: Any, engines: int):
        self.engines = engines
        super().__init__(counters, {"retire": engines})

    def check(self, m: Module) -> None:
        m.d.comb += self.dut.retire.eq(self.retire)
        for engine in range(self.engines):
            pulses = Signal(32, name=f"pulses{engine}")
            with m.If(self.retire[engine]):
                m.d.sync += pulses.eq(pulses + 1)
            m.d.comb += Assert(self.dut.retired[engine] == pulses[: isa.TOKEN_BITS])


class GateWaits(Harness):
    """An instruction passes exactly when every engine is at most 2**15 - 1 tokens past what it waits for and
    the gate is not stopped; it passes unchanged."""

    def __init__(self, gate: Any, engines: int):
        self.engines = engines
        inputs = {"valid": 1, "ready": 1, "stop": 1, "payload": isa.INSTRUCTION_BITS}
        super().__init__(gate, inputs | {f"retired{i}": isa.TOKEN_BITS for i in range(engines)})

    def check(self, m: Module) -> None:
        gate, header = self.dut, data.View(HEADER, self.payload[: HEADER.size])
        m.d.comb += [
            gate.i.valid.eq(self.valid),
            gate.i.payload.eq(self.payload),
            gate.o.ready.eq(self.ready),
            gate.stop.eq(self.stop),
        ]
        missing = Signal(self.engines)
        for engine in range(self.engines):
            retired = getattr(self, f"retired{engine}")
            past = Signal(unsigned(isa.TOKEN_BITS), name=f"past{engine}")
            m.d.comb += [gate.retired[engine].eq(retired), past.eq(retired - header[f"wait{engine}"])]
            m.d.comb += missing[engine].eq(past >= 1 << (isa.TOKEN_BITS - 1))
        passes = self.valid & ~missing.any() & ~self.stop
        m.d.comb += [
            Assert(gate.o.valid == passes),
            Assert((gate.i.valid & gate.i.ready) == (passes & self.ready)),
            Assert(gate.o.payload == self.payload),
            Assert(gate.waiting == (self.valid & missing.any())),
        ]


class BurstsStayInside(Harness):
    """No burst crosses a 128-byte boundary or begins inside a beat, whatever the command; a burst waits unchanged until it is taken."""

    def __init__(self, splitter: Any):
        inputs = {"valid": 1, "ready": 1, "address": 32, "stride": 32, "rows": 16, "beats": 20}
        super().__init__(splitter, inputs)

    def check(self, m: Module) -> None:
        command, burst = self.dut.command, self.dut.bursts
        m.d.comb += [command.valid.eq(self.valid), burst.ready.eq(self.ready)]
        for name in ("address", "stride", "rows", "beats"):
            m.d.comb += getattr(command.payload, name).eq(getattr(self, name))
        m.d.comb += [Assume((self.rows != 0) & (self.beats != 0))]
        with m.If(burst.valid):
            start = burst.payload.address[3:7]
            m.d.comb += [Assert(start + burst.payload.len <= MAX_BEATS - 1), Assert(burst.payload.address % BEAT_BYTES == 0)]
        held, kept = Signal(), Signal(burst.payload.as_value().shape())
        m.d.sync += [held.eq(burst.valid & ~burst.ready), kept.eq(burst.payload)]
        with m.If(held):
            m.d.comb += [Assert(burst.valid), Assert(burst.payload.as_value() == kept)]
