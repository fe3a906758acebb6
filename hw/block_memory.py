# SPDX-License-Identifier: Apache-2.0
"""Block RAM behind AXI4: what stands for DRAM in a design without a memory controller."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw import axi

ROW = 3  #: address bits below a row of 8 bytes


class BlockMemory(wiring.Component):
    """``content`` (64-bit rows) at address 0, as one AXI port reads and writes it; one burst at a time and direction.

    A beat read takes two cycles, a beat written one. Every answer is OKAY; addresses wrap, INCR is assumed.
    Members: ``read`` and ``write`` (the slave's side of `axi.READ` and `axi.WRITE`); ``peek_row``, whose content is
    ``peek_data`` a cycle later, and ``wipe``, which clears that row: both only while ``peek`` is high and AXI idle.
    """

    def __init__(self, content: Sequence[int]):
        self._content = [int(row) for row in content]
        bits = (len(self._content) - 1).bit_length()
        super().__init__(
            {
                "read": In(axi.AxiRead),
                "write": In(axi.AxiWrite),
                "peek": In(1),
                "peek_row": In(bits),
                "wipe": In(1),
                "peek_data": Out(64),
            }
        )
        self._bits = bits

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(64), depth=1 << self._bits, init=self._content)
        self._reads(m, memory.read_port())
        self._writes(m, memory.write_port(granularity=8))
        return m

    def _reads(self, m: Module, port: object) -> None:
        bus, row, left = self.read, Signal(self._bits), Signal(8)
        m.d.comb += [port.addr.eq(row), port.en.eq(0), self.peek_data.eq(port.data), bus.rdata.eq(port.data), bus.rlast.eq(left == 0)]
        with m.FSM(name="reading"):
            with m.State("idle"):
                m.d.comb += bus.arready.eq(~self.peek)
                with m.If(self.peek):
                    m.d.comb += [port.addr.eq(self.peek_row), port.en.eq(1)]
                with m.Elif(bus.arvalid):
                    m.d.sync += [row.eq(bus.araddr >> ROW), left.eq(bus.arlen)]
                    m.next = "fetch"
            with m.State("fetch"):
                m.d.comb += port.en.eq(1)
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += bus.rvalid.eq(1)
                with m.If(bus.rready):
                    m.d.sync += [row.eq(row + 1), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.next = "idle"
                    with m.Else():
                        m.next = "fetch"

    def _writes(self, m: Module, port: object) -> None:
        bus, row = self.write, Signal(self._bits)
        m.d.comb += [port.addr.eq(row), port.data.eq(bus.wdata), port.en.eq(0)]
        with m.FSM(name="writing"):
            with m.State("idle"):
                m.d.comb += bus.awready.eq(~self.peek)
                with m.If(self.peek):
                    m.d.comb += [port.addr.eq(self.peek_row), port.data.eq(0), port.en.eq(self.wipe.replicate(8))]
                with m.Elif(bus.awvalid):
                    m.d.sync += row.eq(bus.awaddr >> ROW)
                    m.next = "data"
            with m.State("data"):
                m.d.comb += bus.wready.eq(1)
                with m.If(bus.wvalid):
                    m.d.comb += port.en.eq(bus.wstrb)
                    m.d.sync += row.eq(row + 1)
                    with m.If(bus.wlast):
                        m.next = "answer"
            with m.State("answer"):
                m.d.comb += bus.bvalid.eq(1)
                with m.If(bus.bready):
                    m.next = "idle"
