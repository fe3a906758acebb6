# SPDX-License-Identifier: Apache-2.0
"""What clients of a shared port may rely on."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Assert, Assume

from tests.formal.harness import Harness


class ReadArbiterDealsBack(Harness):
    """The burst of the lowest client that asks, and no other, goes to the port, unchanged; the beats of the n-th burst go
    to the client that asked for it and to no other, for every n, and wait for it."""

    def __init__(self, arbiter: Any, clients: int):
        self.clients = clients
        inputs = {"which": 3, "port_ready": 1, "beat": 1, "last": 1, "data": 4}
        super().__init__(arbiter, inputs | {"asks": clients, "takes": clients, "address": 4 * clients})

    def check(self, m: Module) -> None:
        arbiter, port, beat = self.dut, self.dut.port_bursts, self.dut.port_beats
        for i, (burst, beats) in enumerate(zip(arbiter.bursts, arbiter.beats)):
            m.d.comb += [burst.valid.eq(self.asks[i]), beats.ready.eq(self.takes[i])]
            m.d.comb += burst.payload.address.eq(self.address.word_select(i, 4))
        m.d.comb += [port.ready.eq(self.port_ready), beat.valid.eq(self.beat)]
        m.d.comb += [beat.payload.last.eq(self.last), beat.payload.data.eq(self.data)]
        served = Cat(burst.valid & burst.ready for burst in arbiter.bursts)
        for i, burst in enumerate(arbiter.bursts):
            first = self.asks[i] & ~self.asks[:i].any()
            m.d.comb += Assert(served[i] == (first & port.valid & port.ready))
            with m.If(served[i]):
                m.d.comb += Assert(port.payload.as_value() == burst.payload.as_value())
        m.d.comb += Assert(~port.valid | self.asks.any())
        self._deals(m, served)

    def _deals(self, m: Module, served: Any) -> None:
        arbiter, port, beat = self.dut, self.dut.port_bursts, self.dut.port_beats
        self.constant(m, self.which)
        asked, answered, owner = Signal(4), Signal(4), Signal(self.clients)
        with m.If(port.valid & port.ready):
            m.d.sync += asked.eq(asked + 1)
            with m.If(asked == self.which):
                m.d.sync += owner.eq(served)
        m.d.comb += Assume((asked != answered) | ~self.beat)  # no beat that was not asked for
        with m.If(beat.valid & beat.ready & beat.payload.last):
            m.d.sync += answered.eq(answered + 1)
        shown = Cat(beats.valid for beats in arbiter.beats)
        with m.If(self.beat & (answered == self.which)):
            m.d.comb += [Assert(shown == owner), Assert(beat.ready == (owner & self.takes).any())]
        for beats in arbiter.beats:
            with m.If(beats.valid):
                m.d.comb += Assert(beats.payload.as_value() == beat.payload.as_value())


class RoundRobinIsFair(Harness):
    """Exactly one of those that ask is granted; one that keeps asking is granted after at most all the others once,
    whatever they do."""

    def __init__(self, turn: Any, count: int):
        self.count = count
        super().__init__(turn, {"asks": count, "served": 1})

    def check(self, m: Module) -> None:
        turn, grant = self.dut, self.dut.grant
        m.d.comb += [turn.requests.eq(self.asks), turn.served.eq(self.served)]
        m.d.comb += [Assert((grant & ~self.asks) == 0), Assert((grant & (grant - 1)[: self.count]) == 0)]
        m.d.comb += Assert(grant.any() == self.asks.any())
        for i in range(self.count):
            others = Signal(range(self.count + 1), name=f"others{i}")  # served while this one waited
            with m.If(~self.asks[i] | (grant[i] & self.served)):
                m.d.sync += others.eq(0)
            with m.Elif(grant.any() & self.served):
                m.d.sync += others.eq(others + 1)
            m.d.comb += Assert(others < self.count)


class WriteJoinServesAll(Harness):
    """A write goes through unchanged and to its client's credit alone; a client that keeps asking is served after at
    most all the others once; an error goes to the client whose write it was."""

    def __init__(self, join: Any, clients: int):
        self.clients = clients
        super().__init__(join, {"asks": clients, "ready": 1, "error": 1, "addr": 2 * clients})

    def check(self, m: Module) -> None:
        join, out = self.dut, self.dut.o.request
        asks = []
        for i, port in enumerate(join.i):
            m.d.comb += [port.request.valid.eq(self.asks[i]), port.request.payload.addr.eq(self.addr.word_select(i, 2))]
            asks.append(port.request.valid & port.request.ready)
            with m.If(asks[-1]):
                m.d.comb += Assert(out.payload.as_value() == port.request.payload.as_value())
        served = Signal(self.clients)
        m.d.comb += [served.eq(Cat(asks)), out.ready.eq(self.ready), join.error.eq(self.error)]
        m.d.comb += [Assert(out.valid == self.asks.any()), Assert(served.any() == (out.valid & out.ready))]
        m.d.comb += Assert((served & (served - 1)[: self.clients]) == 0)
        before = self.past(m, served, "served")
        with m.If(before.any()):
            m.d.comb += Assert(join.errors == Mux(self.error, before, 0))
        self._fair(m, served)

    def _fair(self, m: Module, served: Signal) -> None:
        for i in range(self.clients):
            others = Signal(range(self.clients + 1), name=f"others{i}")
            with m.If(~self.asks[i] | served[i]):
                m.d.sync += others.eq(0)
            with m.Elif(served.any()):
                m.d.sync += others.eq(others + 1)
            m.d.comb += Assert(others < self.clients)
