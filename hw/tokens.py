# SPDX-License-Identifier: Apache-2.0
"""Tokens: every engine counts what it has retired, and an instruction waits for counts."""

from __future__ import annotations

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from hw.layouts import HEADER


class TokenCounters(wiring.Component):
    """Retired instructions of each engine since reset, modulo 2**16.

    Latency one cycle. Parameters: ``engines``. Members: ``retire`` (a pulse per engine), ``retired`` (the
    counts).
    """

    def __init__(self, engines: int):
        self._engines = engines
        super().__init__({"retire": In(engines), "retired": Out(isa.TOKEN_BITS).array(engines)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for engine in range(self._engines):
            m.d.sync += self.retired[engine].eq(self.retired[engine] + self.retire[engine])
        return m


class TokenGate(wiring.Component):
    """Lets an instruction through when ``retired[e] - wait_e``, as a signed 16-bit number, is not negative
    for all e.

    No latency; one instruction a cycle. Waits on engines that are not there are not looked at.

    Parameters: ``engines``. Members: ``i``, ``o``, ``retired`` (from `TokenCounters`), ``stop`` (lets nothing
    through), ``waiting`` (an instruction is there, its tokens are not).
    """

    def __init__(self, engines: int):
        self._engines = engines
        signature = stream.Signature(unsigned(isa.INSTRUCTION_BITS))
        super().__init__(
            {
                "i": In(signature),
                "o": Out(signature),
                "retired": In(isa.TOKEN_BITS).array(engines),
                "stop": In(1),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        header = data.View(HEADER, self.i.payload[: HEADER.size])
        met = Signal(self._engines)
        for engine in range(self._engines):
            ahead = Signal(signed(isa.TOKEN_BITS), name=f"ahead{engine}")
            m.d.comb += [ahead.eq(self.retired[engine] - header[f"wait{engine}"]), met[engine].eq(ahead >= 0)]
        passes = Signal()
        m.d.comb += [
            passes.eq(met.all() & ~self.stop),
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & passes),
            self.i.ready.eq(self.o.ready & passes),
            self.waiting.eq(self.i.valid & ~met.all()),
        ]
        return m
