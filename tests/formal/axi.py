# SPDX-License-Identifier: Apache-2.0
"""What the AXI masters promise the bus, and what they promise the engines."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume

from hw.axi import MAX_OUTSTANDING, OKAY
from tests.formal.harness import Harness


class ReadPortKeepsRules(Harness):
    """A read port never has more than eight bursts outstanding, and an address shown stays until it is taken,
    even when the port is stopped; no burst starts while it is."""

    def __init__(self, port: Any):
        inputs = {"valid": 1, "ready": 1, "stop": 1, "address": 32, "len": 4}
        super().__init__(port, inputs | {"arready": 1, "rvalid": 1, "rlast": 1})

    def check(self, m: Module) -> None:
        port, axi = self.dut, self.dut.axi
        m.d.comb += [
            port.bursts.valid.eq(self.valid),
            port.bursts.payload.address.eq(self.address),
            port.bursts.payload.len.eq(self.len),
            port.beats.ready.eq(self.ready),
            port.stop.eq(self.stop),
            axi.arready.eq(self.arready),
            axi.rvalid.eq(self.rvalid),
            axi.rlast.eq(self.rlast),
        ]
        shown, answered, open_ = Signal(), Signal(), Signal(5)
        m.d.comb += [shown.eq(axi.arvalid & axi.arready), answered.eq(axi.rvalid & axi.rready & axi.rlast)]
        m.d.sync += open_.eq(open_ + shown - answered)
        m.d.comb += Assume((open_ != 0) | ~axi.rvalid)  # no answer that was not asked for
        m.d.comb += Assert(open_ + axi.arvalid <= MAX_OUTSTANDING)
        m.d.comb += Assert(port.idle == ((open_ == 0) & ~axi.arvalid))
        waiting, stopped, taken = Signal(), Signal(), Signal(40)
        m.d.sync += [waiting.eq(axi.arvalid & ~axi.arready), taken.eq(axi.araddr << 8 | axi.arlen)]
        m.d.sync += stopped.eq(port.stop)
        with m.If(waiting):
            m.d.comb += [Assert(axi.arvalid), Assert(taken == (axi.araddr << 8 | axi.arlen))]
        with m.Elif(stopped):
            m.d.comb += Assert(~axi.arvalid)


class _WritePort(Harness):
    """A write port between free engines and a free bus."""

    def __init__(self, port: Any):
        inputs = {"valid": 1, "beat": 1, "stop": 1, "address": 32, "len": 4, "final": 1, "which": 2}
        bus = {"awready": 1, "wready": 1, "bvalid": 1, "bresp": 2}
        super().__init__(port, inputs | {"data": 64, "strobe": 8} | bus)

    def check(self, m: Module) -> None:
        port, axi = self.dut, self.dut.axi
        self.drive(m, port, stop="stop")
        self.drive(m, port.bursts, valid="valid")
        self.drive(m, port.beats, valid="beat")
        self.drive(m, axi, awready="awready", wready="wready", bvalid="bvalid", bresp="bresp")
        burst, beat = port.bursts.payload, port.beats.payload
        m.d.comb += [burst.address.eq(self.address), burst.len.eq(self.len), burst.last.eq(self.final)]
        m.d.comb += [beat.data.eq(self.data), beat.strobe.eq(self.strobe)]
        self.rules(m, port.bursts.valid & port.bursts.ready)

    def rules(self, m: Module, issued: Any) -> None:
        raise NotImplementedError


class WritePortKeepsRules(_WritePort):
    """Address and data stay as shown until they are taken; at most eight bursts are without a response, which tells
    whether its burst was marked last; no burst starts and no engine's beat is taken while the port is stopped."""

    def rules(self, m: Module, issued: Any) -> None:
        port, axi = self.dut, self.dut.axi
        self._holds(m, "address", axi.awvalid, axi.awready, Cat(axi.awaddr, axi.awlen))
        self._holds(m, "data", axi.wvalid, axi.wready, Cat(axi.wdata, axi.wstrb, axi.wlast))
        open_ = Signal(5)
        m.d.sync += open_.eq(open_ + issued - axi.bvalid)
        m.d.comb += Assume((open_ != 0) | ~axi.bvalid)  # no response that was not asked for
        m.d.comb += [Assert(open_ <= MAX_OUTSTANDING), Assert(port.idle == (open_ == 0)), Assert(axi.bready)]
        m.d.comb += [Assert(~(issued & port.stop)), Assert(~(port.beats.valid & port.beats.ready & port.stop))]
        m.d.comb += Assert(port.response == (axi.bvalid & ~port.stop))
        m.d.comb += Assert(port.response_error == (axi.bresp != OKAY))
        self.constant(m, self.which)
        count, answered, final = Signal(5), Signal(5), Signal()
        with m.If(issued):
            m.d.sync += count.eq(count + 1)
            with m.If(count == self.which):
                m.d.sync += final.eq(self.final)
        with m.If(axi.bvalid):
            m.d.sync += answered.eq(answered + 1)
            with m.If(answered == self.which):
                m.d.comb += Assert(port.response_last == final)

    def _holds(self, m: Module, name: str, valid: Signal, ready: Signal, payload: Any) -> None:
        waiting, shown = self.past(m, valid & ~ready, f"{name}_waits"), self.past(m, payload, name)
        with m.If(waiting):
            m.d.comb += [Assert(valid), Assert(payload == shown)]


class WritePortCountsBeats(_WritePort):
    """Each burst gets its own number of beats, the last one marked, in order, and none before it is issued."""

    def rules(self, m: Module, issued: Any) -> None:
        axi = self.dut.axi
        m.d.comb += [Assume(~axi.bvalid), Assume(self.data == 0)]
        self.constant(m, self.which)
        count, at = Signal(4), Signal(4)  # bursts issued; burst the data channel is at
        length, beat = Signal(4), Signal(5)
        with m.If(issued):
            m.d.sync += count.eq(count + 1)
            with m.If(count == self.which):
                m.d.sync += length.eq(self.len)
        with m.If(axi.wvalid):
            m.d.comb += Assert(at != count)
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += at.eq(at + axi.wlast)
            with m.If(at == self.which):
                m.d.sync += beat.eq(beat + 1)
                m.d.comb += Assert(axi.wlast == (beat == length))


class WritePortPassesBeats(_WritePort):
    """Beats go out as they came, one register later, or with every strobe low when the port is stopped, and then
    without an engine's doing: as many as are owed."""

    def rules(self, m: Module, issued: Any) -> None:
        port, axi, owing, loaded = self.dut, self.dut.axi, Signal(8), Signal()
        m.d.comb += Assume(~axi.bvalid)
        free, accepted = ~axi.wvalid | axi.wready, port.beats.valid & port.beats.ready
        m.d.comb += loaded.eq(free & (owing != 0) & (port.stop | port.beats.valid))
        m.d.comb += Assert(accepted == (loaded & ~port.stop))
        m.d.sync += owing.eq(owing + Mux(issued, self.len + 1, 0) - loaded)
        was, stopped = self.past(m, loaded, "loaded"), self.past(m, port.stop, "stop")
        data, strobe = self.past(m, self.data, "data"), self.past(m, self.strobe, "strobe")
        with m.If(was):
            m.d.comb += [Assert(axi.wvalid), Assert(axi.wstrb == Mux(stopped, 0, strobe))]
            with m.If(~stopped):
                m.d.comb += Assert(axi.wdata == data)
