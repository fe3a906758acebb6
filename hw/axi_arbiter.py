# SPDX-License-Identifier: Apache-2.0
"""Several clients on one AXI read port."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hw.axi import MAX_OUTSTANDING, Beats, Bursts


class ReadArbiter(wiring.Component):
    """Merges the bursts of several clients, the lowest number first, and deals the beats back in order.

    No latency; one burst and one beat a cycle. Beats come in order, so a client that keeps its beats waiting
    holds up all others: clients ask only for what they can take without waiting for another client.

    Parameters: ``clients``, their number. Members: ``bursts`` and ``beats`` (one stream each per client),
    ``port_bursts`` and ``port_beats`` (towards the read port).
    """

    def __init__(self, clients: int):
        if clients < 1:
            raise ValueError(f"clients = {clients}: must be at least 1")
        self._clients = clients
        super().__init__(
            {
                "bursts": In(Bursts).array(clients),
                "beats": Out(Beats).array(clients),
                "port_bursts": Out(Bursts),
                "port_beats": In(Beats),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.owners = owners = SyncFIFO(
            width=max(1, (self._clients - 1).bit_length()), depth=MAX_OUTSTANDING
        )
        port = self.port_bursts
        for number in reversed(range(self._clients)):
            with m.If(self.bursts[number].valid):
                m.d.comb += [port.payload.eq(self.bursts[number].payload), owners.w_data.eq(number)]
        earlier = 0
        for number in range(self._clients):
            m.d.comb += self.bursts[number].ready.eq(port.ready & owners.w_rdy & ~earlier)
            earlier |= self.bursts[number].valid
        m.d.comb += [port.valid.eq(earlier & owners.w_rdy), owners.w_en.eq(port.valid & port.ready)]
        beat = self.port_beats
        for number in range(self._clients):
            mine = owners.r_rdy & (owners.r_data == number)
            m.d.comb += [
                self.beats[number].payload.eq(beat.payload),
                self.beats[number].valid.eq(beat.valid & mine),
            ]
            with m.If(mine):
                m.d.comb += beat.ready.eq(self.beats[number].ready)
        m.d.comb += owners.r_en.eq(beat.valid & beat.ready & beat.payload.last)
        return m
