# SPDX-License-Identifier: Apache-2.0
"""A queue that is none, to seed where a FIFO belongs."""

from __future__ import annotations

from amaranth import Array, Module, Signal
from amaranth.lib.fifo import SyncFIFO


class StackedFIFO(SyncFIFO):
    """Bug: the last in is the first out when two are held."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, level = [Signal(self.width, name=f"row{i}") for i in range(self.depth + 1)], Signal(4)
        push, pop = self.w_en & self.w_rdy, self.r_en & self.r_rdy
        m.d.comb += [self.w_rdy.eq(level != self.depth), self.r_rdy.eq(level != 0), self.level.eq(level)]
        m.d.comb += self.r_data.eq(Array(rows)[level])
        m.d.sync += level.eq(level + push - pop)
        with m.If(push):
            m.d.sync += Array(rows)[(level - pop + 1)[:4]].eq(self.w_data)
        return m
