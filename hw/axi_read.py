# SPDX-License-Identifier: Apache-2.0
"""One AXI4 read port."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.axi import MAX_OUTSTANDING, OKAY, AxiRead, Beats, Bursts, address_channel


class ReadPort(wiring.Component):
    """Issues bursts, at most 8 outstanding, and hands their beats out in order.

    The address is registered (one cycle), data pass through; one beat a cycle. All transactions use id 0.
    While ``stop`` is high no burst starts, an address already shown stays until it is taken, and data are
    discarded.

    Members: ``bursts`` (to read), ``beats`` (their data, back-pressure becomes RREADY), ``stop``, ``idle``
    (nothing outstanding), ``axi``.
    """

    bursts: In(Bursts)
    beats: Out(Beats)
    stop: In(1)
    idle: Out(1)
    axi: Out(AxiRead)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi, beat = self.axi, self.beats.payload
        outstanding = Signal(range(MAX_OUTSTANDING + 1))
        issued, finished = Signal(), Signal()
        address_channel(m, axi, "ar")
        m.d.comb += [
            self.bursts.ready.eq(
                (~axi.arvalid | axi.arready) & ~self.stop & (outstanding != MAX_OUTSTANDING)
            ),
            issued.eq(self.bursts.valid & self.bursts.ready),
            self.beats.valid.eq(axi.rvalid & ~self.stop),
            beat.data.eq(axi.rdata),
            beat.error.eq(axi.rresp != OKAY),
            beat.last.eq(axi.rlast),
            axi.rready.eq(self.beats.ready | self.stop),
            finished.eq(axi.rvalid & axi.rready & axi.rlast),
            self.idle.eq(outstanding == 0),
        ]
        m.d.sync += outstanding.eq(outstanding + issued - finished)
        araddr, arlen = Signal(32, reset_less=True), Signal(4, reset_less=True)
        m.d.comb += [axi.araddr.eq(araddr), axi.arlen.eq(arlen)]
        with m.If(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        with m.If(issued):
            burst = self.bursts.payload
            m.d.sync += [axi.arvalid.eq(1), araddr.eq(burst.address), arlen.eq(burst.len)]
        return m
