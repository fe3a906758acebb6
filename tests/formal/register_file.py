# SPDX-License-Identifier: Apache-2.0
"""What the host may rely on in the register file."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert

from codesign.program.registers import IDENTITY, Register
from tests.formal.harness import Harness

KEPT = {"program": Register.PROGRAM, "count": Register.COUNT, "base": Register.BASE,
        "write_low": Register.WRITE_LOW, "write_high": Register.WRITE_HIGH}  # fmt: skip  # while busy
LATER = {"watchdog": Register.WATCHDOG}
STATE = {"busy": 1, "done": 1, "fault": 1, "fault_word": 32, "cycles": 32, "counter_value": 32}


class RegistersAreKept(Harness):
    """Every write is answered once, every read once, an answer stays until it is taken and is OKAY. A register changes by
    a write to its own address alone, in the bytes strobed, PROGRAM, COUNT, BASE and the write window not while busy; START pulses for
    a 1 written to CONTROL while not busy, RESET for a 2; a read gives what the register held, 0 where there is
    none."""

    def __init__(self, registers: Any):
        writes = {"awaddr": 12, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1}
        super().__init__(registers, writes | {"araddr": 12, "arvalid": 1, "rready": 1} | STATE)

    def check(self, m: Module) -> None:
        axi = self.dut.axi
        self.drive(m, self.dut, **{name: name for name in STATE})
        names = ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready")
        self.drive(m, axi, **{name: name for name in names})
        m.d.comb += [Assert(axi.bresp == 0), Assert(axi.rresp == 0)]
        self._writes(m)
        self._reads(m)

    def _writes(self, m: Module) -> None:
        dut, axi = self.dut, self.dut.axi
        address, value, strobe = Signal(10), Signal(32), Signal(4)  # accepted last
        addresses, values = Signal(3), Signal(3)  # accepted, not answered
        answered = axi.bvalid & axi.bready
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += address.eq(axi.awaddr[2:])
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [value.eq(axi.wdata), strobe.eq(axi.wstrb)]
        m.d.sync += addresses.eq(addresses + (axi.awvalid & axi.awready) - answered)
        m.d.sync += values.eq(values + (axi.wvalid & axi.wready) - answered)
        m.d.comb += Assert(~axi.bvalid | ((addresses != 0) & (values != 0)))
        late = (addresses != 0) & (values != 0) & ~axi.bvalid
        with m.If(self.past(m, late, "late")):
            m.d.comb += Assert(axi.bvalid)
        with m.If(self.past(m, axi.bvalid & ~axi.bready, "held")):
            m.d.comb += Assert(axi.bvalid)
        rose = Signal()  # the write of the cycle before
        was = self.past(m, Cat(address, value, strobe), "write")
        m.d.comb += rose.eq(axi.bvalid & ~self.past(m, axi.bvalid, "bvalid"))
        self._changes(m, rose, was[:10], was[10:42], Cat(bit.replicate(8) for bit in was[42:]))
        pulses = self.past(m, Cat(dut.start, dut.soft_reset), "pulses")
        low, busy = was[10:12] & was[42].replicate(2), self.past(m, self.busy, "busy")
        control = rose & (was[:10] == Register.CONTROL // 4)
        m.d.comb += [Assert(pulses[0] == (control & (low == 1) & ~busy)), Assert(pulses[1] == (control & low[1]))]

    def _changes(self, m: Module, rose: Any, address: Any, value: Any, mask: Any) -> None:
        busy = self.past(m, self.busy, "was_busy")
        for name, register in (KEPT | LATER).items():
            now = getattr(self.dut, name)
            before, mine = self.past(m, now, name), rose & (address == register // 4)
            if name in KEPT:
                mine = mine & ~busy
            m.d.comb += Assert(now == Mux(mine, (value & mask) | (before & ~mask), before))

    def _reads(self, m: Module) -> None:
        dut, axi = self.dut, self.dut.axi
        address, wanted = Signal(12), Signal()
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += address.eq(axi.araddr)
        m.d.sync += wanted.eq(axi.arvalid & axi.arready)
        m.d.comb += Assert(~axi.arready | (~axi.rvalid & ~wanted))  # one at a time
        held, same = self.past(m, axi.rvalid & ~axi.rready, "unread"), self.past(m, axi.rdata, "rdata")
        with m.If(held):
            m.d.comb += [Assert(axi.rvalid), Assert(axi.rdata == same)]
        with m.Else():
            m.d.comb += Assert(axi.rvalid == self.past(m, wanted, "wanted"))
        registers = {register: getattr(dut, name) for name, register in (KEPT | LATER).items()}
        registers |= {Register.STATUS: Cat(self.busy, self.done, self.fault), Register.FAULT: self.fault_word}
        registers |= {Register.CYCLES: self.cycles}
        want = Signal(32)
        with m.Switch(address[2:]):
            for register, source in registers.items():
                with m.Case(register // 4):
                    m.d.comb += want.eq(source)
            with m.Case(Register.ID // 4):
                m.d.comb += want.eq(IDENTITY)
            with m.Case(*range(Register.COUNTERS // 4, Register.COUNTERS // 4 + 64)):
                m.d.comb += want.eq(self.counter_value)
        told = (address[2:] != Register.SHAPE // 4) & (address[2:] != Register.IRQ // 4)
        now, asked = self.past(m, want, "want"), self.past(m, wanted & told, "told")
        with m.If(asked):
            m.d.comb += Assert(axi.rdata == now)
        counted = (address[2:] - Register.COUNTERS // 4)[:6]
        m.d.comb += Assert(~wanted | (dut.counter == counted))
