# SPDX-License-Identifier: Apache-2.0
"""One AXI4 write port."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.axi import BEAT_BYTES, DATA_BITS, MAX_OUTSTANDING, OKAY, AxiWrite, Bursts, address_channel

#: One beat of write data; ``strobe`` has a bit for every byte that is written.
WriteBeat = data.StructLayout({"data": DATA_BITS, "strobe": BEAT_BYTES})
WriteBeats = stream.Signature(WriteBeat)


class WritePort(wiring.Component):
    """Issues write bursts, at most 8 outstanding, sends their beats in order and reports the responses.

    Address and data are registered (one cycle); one beat a cycle. All transactions use id 0. While ``stop``
    is high no burst starts, and the beats still owed are sent with every strobe low, so that the bus is left
    clean.

    Members: ``bursts`` (to write), ``beats`` (their data), ``response`` (pulse per response),
    ``response_last`` (it belongs to a burst with ``last``), ``response_error``, ``stop``, ``idle`` (nothing
    outstanding), ``axi``.
    """

    bursts: In(Bursts)
    beats: In(WriteBeats)
    response: Out(1)
    response_last: Out(1)
    response_error: Out(1)
    stop: In(1)
    idle: Out(1)
    axi: Out(AxiWrite)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        m.submodules.lengths = lengths = SyncFIFO(width=4, depth=MAX_OUTSTANDING)
        m.submodules.lasts = lasts = SyncFIFO(width=1, depth=MAX_OUTSTANDING)
        issued = Signal()
        awaddr, awlen = Signal(32, reset_less=True), Signal(4, reset_less=True)
        address_channel(m, axi, "aw")
        m.d.comb += [
            self.bursts.ready.eq((~axi.awvalid | axi.awready) & ~self.stop & lasts.w_rdy),
            issued.eq(self.bursts.valid & self.bursts.ready),
            lengths.w_en.eq(issued),
            lengths.w_data.eq(self.bursts.payload.len),
            lasts.w_en.eq(issued),
            lasts.w_data.eq(self.bursts.payload.last),
            axi.awaddr.eq(awaddr),
            axi.awlen.eq(awlen),
            axi.bready.eq(1),
            lasts.r_en.eq(axi.bvalid),
            self.response.eq(axi.bvalid & ~self.stop),
            self.response_last.eq(lasts.r_data),
            self.response_error.eq(axi.bresp != OKAY),
            self.idle.eq(~lasts.r_rdy),
        ]
        with m.If(axi.awready):
            m.d.sync += axi.awvalid.eq(0)
        with m.If(issued):
            m.d.sync += [
                axi.awvalid.eq(1),
                awaddr.eq(self.bursts.payload.address),
                awlen.eq(self.bursts.payload.len),
            ]
        self._send(m, lengths)
        return m

    def _send(self, m: Module, lengths: SyncFIFO) -> None:
        """Beats of the bursts whose lengths are queued, through the data channel's output register."""
        axi = self.axi
        sent = Signal(4)
        free, last = Signal(), Signal()
        wdata, wstrb, wlast = (Signal(n, reset_less=True) for n in (DATA_BITS, BEAT_BYTES, 1))
        m.d.comb += [axi.wdata.eq(wdata), axi.wstrb.eq(wstrb), axi.wlast.eq(wlast)]
        m.d.comb += [
            free.eq(lengths.r_rdy & (~axi.wvalid | axi.wready)),
            self.beats.ready.eq(free & ~self.stop),
            last.eq(sent == lengths.r_data),
        ]
        with m.If(axi.wready):
            m.d.sync += axi.wvalid.eq(0)
        with m.If(free & (self.beats.valid | self.stop)):
            m.d.comb += lengths.r_en.eq(last)
            m.d.sync += [
                axi.wvalid.eq(1),
                wdata.eq(self.beats.payload.data),
                wstrb.eq(Mux(self.stop, 0, self.beats.payload.strobe)),
                wlast.eq(last),
                sent.eq(sent + 1),
            ]
            with m.If(last):
                m.d.sync += sent.eq(0)
