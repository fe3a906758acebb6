# SPDX-License-Identifier: Apache-2.0
"""One scratchpad write port for clients that seldom write."""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from hw.ports import ScratchpadWrite
from hw.scratchpad import RoundRobin, pick


class WriteJoin(wiring.Component):
    """Lets ``clients`` take turns at one port of the scratchpad, whose banks need a wide multiplexer per port.

    No latency; one write a cycle for all together: a depthwise unit writes every eighth cycle at most, the load
    engine every fourth. The turn passes on only when a client is served, so none starves.

    Parameters: ``config``, ``clients``.
    Members: ``i``, a port per client; ``o``; ``error``, of the scratchpad for ``o``, and ``errors``, whose it was.
    """

    def __init__(self, config: AcceleratorConfig, clients: int):
        super().__init__(
            {
                "i": In(ScratchpadWrite(config)).array(clients),
                "o": Out(ScratchpadWrite(config)),
                "error": In(1),
                "errors": Out(clients),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        requests, out = [port.request for port in self.i], self.o.request
        m.submodules.turn = turn = RoundRobin(len(requests))
        before = Signal.like(turn.grant, name="before")
        m.d.comb += [
            turn.requests.eq(Cat(request.valid for request in requests)),
            turn.served.eq(out.ready),
            out.valid.eq(turn.requests.any()),
            out.payload.eq(pick(turn.grant, [request.payload.as_value() for request in requests])),
            self.errors.eq(before & self.error.replicate(len(requests))),
        ]
        m.d.comb += [request.ready.eq(turn.grant[i] & out.ready) for i, request in enumerate(requests)]
        m.d.sync += before.eq(turn.grant)
        return m
