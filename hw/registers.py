# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Lite register file."""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.registers import IDENTITY, Register
from hw.axi import LITE_ADDRESS_BITS, AxiLite

#: Registers the host writes, by the name of their member.
WRITTEN = {
    "program": Register.PROGRAM,
    "count": Register.COUNT,
    "base": Register.BASE,
    "watchdog": Register.WATCHDOG,
    "write_low": Register.WRITE_LOW,
    "write_high": Register.WRITE_HIGH,
}
HELD_WHILE_BUSY = ("program", "count", "base", "write_low", "write_high")


class Registers(wiring.Component):
    """`codesign.program.registers` over AXI4-Lite: every answer is OKAY, an address without a register reads
    0.

    A write or read takes two cycles. PROGRAM, COUNT, BASE, WRITE_LOW and WRITE_HIGH ignore writes while the
    accelerator is busy.

    Parameters: ``config``. Members: ``axi``; ``start`` and ``soft_reset`` (pulses); ``program``, ``count``,
    ``base``, ``watchdog``, ``write_low``, ``write_high``; ``irq``; ``busy``, ``done``, ``fault`` (a fault is recorded), ``fault_word``,
    ``cycles``; ``counter`` (number of the counter read: offset from COUNTERS / 4) and ``counter_value`` (its
    value, same cycle).
    """

    def __init__(self, config: AcceleratorConfig):
        blocks = config.spad_words // 256 % 256
        self._shape = config.lanes | config.array_out << 8 | config.depthwise_units << 16 | blocks << 24
        super().__init__(
            {
                "axi": Out(AxiLite),
                "start": Out(1),
                "soft_reset": Out(1),
                **{name: Out(32) for name in WRITTEN},
                "irq": Out(1),
                "busy": In(1),
                "done": In(1),
                "fault": In(1),
                "fault_word": In(32),
                "cycles": In(32),
                "counter": Out(6),
                "counter_value": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        have_address, have_data, write = Signal(), Signal(), Signal()
        address = Signal(LITE_ADDRESS_BITS, reset_less=True)
        value, strobe = Signal(32, reset_less=True), Signal(4, reset_less=True)
        m.d.comb += [
            axi.awready.eq(~have_address),
            axi.wready.eq(~have_data),
            write.eq(have_address & have_data & ~axi.bvalid),
        ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [have_address.eq(1), address.eq(axi.awaddr)]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [have_data.eq(1), value.eq(axi.wdata), strobe.eq(axi.wstrb)]
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        irq_enable = Signal()
        with m.If(write):
            m.d.sync += [have_address.eq(0), have_data.eq(0), axi.bvalid.eq(1)]
            self._write(m, address, value, strobe, irq_enable)
        m.d.sync += self.irq.eq(irq_enable & (self.done | self.fault))
        self._read(m, irq_enable)
        return m

    def _write(self, m: Module, address: Signal, value: Signal, strobe: Signal, irq_enable: Signal) -> None:
        mask = Cat(bit.replicate(8) for bit in strobe)
        with m.Switch(address[2:]):
            with m.Case(Register.CONTROL // 4):
                low = value & mask
                m.d.comb += [self.start.eq(low[0] & ~low[1] & ~self.busy), self.soft_reset.eq(low[1])]
            for name, register in WRITTEN.items():
                with m.Case(register // 4):
                    member = getattr(self, name)
                    writable = ~self.busy if name in HELD_WHILE_BUSY else 1
                    with m.If(writable):
                        m.d.sync += member.eq((value & mask) | (member & ~mask))
            with m.Case(Register.IRQ // 4):
                with m.If(strobe[0]):
                    m.d.sync += irq_enable.eq(value[0])

    def _read(self, m: Module, irq_enable: Signal) -> None:
        axi = self.axi
        address, wanted = Signal(LITE_ADDRESS_BITS, reset_less=True), Signal()
        rdata = Signal(32, reset_less=True)
        m.d.comb += [
            axi.arready.eq(~wanted & ~axi.rvalid),
            axi.rdata.eq(rdata),
            self.counter.eq(address[2:] - Register.COUNTERS // 4),
        ]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [wanted.eq(1), address.eq(axi.araddr)]
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        read = {
            Register.STATUS: Cat(self.busy, self.done, self.fault),
            Register.FAULT: self.fault_word,
            Register.CYCLES: self.cycles,
            Register.ID: IDENTITY,
            Register.SHAPE: self._shape,
            Register.IRQ: irq_enable,
            **{register: getattr(self, name) for name, register in WRITTEN.items()},
        }
        with m.If(wanted):
            m.d.sync += [wanted.eq(0), axi.rvalid.eq(1), rdata.eq(0)]
            with m.Switch(address[2:]):
                for register, source in read.items():
                    with m.Case(register // 4):
                        m.d.sync += rdata.eq(source)
            with m.If((address >= Register.COUNTERS) & (address < Register.COUNTERS + 256)):
                m.d.sync += rdata.eq(self.counter_value)
