# SPDX-License-Identifier: Apache-2.0
"""The part of memory that stores may write."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.axi import BOUNDARY, Bursts

LINE = BOUNDARY.bit_length() - 1  #: bits of an address inside the lines that no burst leaves


class WriteWindow(wiring.Component):
    """Passes bursts that lie within base + low .. base + high, in whole lines of 128 bytes; holds another back and reports it.

    No latency for bursts; bounds count from two cycles after they were given. ``high`` = 0 lets everything pass. A burst
    never crosses a line, so that its address alone decides.

    Members: ``i`` and ``o`` (bursts), ``base``, ``low``, ``high`` (bytes), ``outside`` (the burst at hand is held back).
    """

    i: In(Bursts)
    o: Out(Bursts)
    base: In(32)
    low: In(32)
    high: In(32)
    outside: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = 32 - LINE + 1  # an end may lie one line behind the last
        checked, first, end = Signal(), Signal(bits), Signal(bits)
        line = self.i.payload.address[LINE:]
        m.d.sync += [
            checked.eq(self.high != 0),
            first.eq(self.base[LINE:] + self.low[LINE:]),
            end.eq(self.base[LINE:] + self.high[LINE:]),
        ]
        m.d.comb += [
            self.outside.eq(self.i.valid & checked & ((line < first) | (line >= end))),
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & ~self.outside),
            self.i.ready.eq(self.o.ready & ~self.outside),
        ]
        return m
