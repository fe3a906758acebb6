# SPDX-License-Identifier: Apache-2.0
"""The parameter fetcher with its read port and a second client, as one block for the bench."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from hw import axi
from hw.axi_arbiter import ReadArbiter
from hw.axi_read import ReadPort
from hw.dispatcher import ParamRequest
from hw.param_fetch import ParamFetch
from hw.ports import ParamStream


class ParamSystem(wiring.Component):
    """Client 0 is the bench's own (``bursts``, ``beats``), client 1 the fetcher."""

    def __init__(self, config: AcceleratorConfig):
        self.fetch, self.consumers = ParamFetch(config), 1 + config.depthwise_units
        super().__init__(
            {
                "requests": In(stream.Signature(ParamRequest)),
                "bursts": In(axi.Bursts),
                "beats": Out(axi.Beats),
                "fault": Out(1),
                "fault_engine": Out(4),
                "fault_index": Out(16),
                **{f"params{i}": Out(ParamStream) for i in range(self.consumers)},
                **axi.flat("axi_", axi.READ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fetch, m.submodules.port = fetch, port = self.fetch, ReadPort()
        m.submodules.arbiter = arbiter = ReadArbiter(2)
        wiring.connect(m, wiring.flipped(self.requests), fetch.requests)
        wiring.connect(m, wiring.flipped(self.bursts), arbiter.bursts[0])
        wiring.connect(m, arbiter.beats[0], wiring.flipped(self.beats))
        wiring.connect(m, fetch.bursts, arbiter.bursts[1])
        wiring.connect(m, arbiter.beats[1], fetch.beats)
        wiring.connect(m, arbiter.port_bursts, port.bursts)
        wiring.connect(m, port.beats, arbiter.port_beats)
        for i in range(self.consumers):
            wiring.connect(m, fetch.params[i], wiring.flipped(getattr(self, f"params{i}")))
        for name in ("fault", "fault_engine", "fault_index"):
            m.d.comb += getattr(self, name).eq(getattr(fetch, name))
        axi.join(m, self, "axi_", port.axi, axi.READ)
        return m
