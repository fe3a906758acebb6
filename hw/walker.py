# SPDX-License-Identifier: Apache-2.0
"""Walks the scratchpad words of a load or store."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.layouts import ADDRESS_BITS

#: ``rows`` rows of ``words`` words, ``stride`` words apart, for instruction ``index``; neither may be 0.
Walk = data.StructLayout({"addr": ADDRESS_BITS, "stride": 16, "rows": 16, "words": 16, "index": 16})
#: One word's address; ``last`` marks the last one of its instruction.
Step = data.StructLayout({"addr": ADDRESS_BITS, "last": 1, "index": 16})


class Walker(wiring.Component):
    """Word addresses of a rectangle in raster order, modulo 2**16.

    Latency one cycle; one address a cycle, no bubble between rows or commands. It checks no range.

    Members: ``command`` (what to walk), ``steps`` (addresses).
    """

    command: In(stream.Signature(Walk))
    steps: Out(stream.Signature(Step))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        active = Signal()
        now = Signal(Walk, reset_less=True)  # address, rows and words still to do
        row_addr = Signal(ADDRESS_BITS, reset_less=True)
        row_words = Signal(16, reset_less=True)
        row_ends, ends = Signal(), Signal()
        step = self.steps.payload
        m.d.comb += [
            row_ends.eq(now.words == 1),
            ends.eq(row_ends & (now.rows == 1)),
            self.steps.valid.eq(active),
            step.addr.eq(now.addr),
            step.index.eq(now.index),
            step.last.eq(ends),
            self.command.ready.eq(~active | (self.steps.ready & ends)),
        ]
        with m.If(self.steps.valid & self.steps.ready):
            m.d.sync += [now.addr.eq(now.addr + 1), now.words.eq(now.words - 1)]
            with m.If(row_ends):
                following = row_addr + now.stride
                m.d.sync += [row_addr.eq(following), now.addr.eq(following)]
                m.d.sync += [now.words.eq(row_words), now.rows.eq(now.rows - 1), active.eq(~ends)]
        with m.If(self.command.valid & self.command.ready):
            command = self.command.payload
            m.d.sync += [
                active.eq(1),
                now.eq(command),
                row_addr.eq(command.addr),
                row_words.eq(command.words),
            ]
        return m
