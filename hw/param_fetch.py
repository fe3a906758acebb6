# SPDX-License-Identifier: Apache-2.0
"""Fetches weights and requantisation parameters ahead of the engines."""

from __future__ import annotations

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Engine
from hw.axi import DATA_BITS, MAX_BEATS, MAX_OUTSTANDING, Beats, Bursts
from hw.bursts import BurstSplitter
from hw.dispatcher import ParamRequest
from hw.ports import ParamStream

REQUESTS = 16  #: requests that may wait
Owner = data.StructLayout({"unit": 3, "index": 16})


class ParamFetch(wiring.Component):
    """Serves requests in order and puts their beats into the FIFO of each engine.

    One beat a cycle. A burst is asked for only when its FIFO has room for all of it, so that the read port is
    never held up; a full FIFO holds up the requests behind. Faults: an AXI error.

    Parameters: ``config``. Members: ``requests``, ``bursts`` and ``beats`` (read port), ``params`` (a stream
    per parameter consumer: pointwise, then the depthwise units), ``base``, ``fault``, ``fault_engine``,
    ``fault_index``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._depths = [
            config.pointwise_param_beats,
            *[config.depthwise_param_beats] * config.depthwise_units,
        ]
        if min(self._depths) < MAX_BEATS:
            raise ValueError(
                f"parameter FIFOs of {min(self._depths)} beats: must hold a burst of {MAX_BEATS}"
            )
        super().__init__(
            {
                "requests": In(stream.Signature(ParamRequest)),
                "bursts": Out(Bursts),
                "beats": In(Beats),
                "params": Out(ParamStream).array(len(self._depths)),
                "base": In(32),
                "fault": Out(1),
                "fault_engine": Out(4),
                "fault_index": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.waiting = waiting = SyncFIFO(width=ParamRequest.size, depth=REQUESTS)
        m.submodules.splitter = splitter = BurstSplitter()
        m.submodules.owners = owners = SyncFIFO(width=Owner.size, depth=MAX_OUTSTANDING)
        request, now = data.View(ParamRequest, waiting.r_data), Signal(Owner, reset_less=True)
        command, allowed = splitter.command.payload, Signal()
        rooms = self._fifos(m, now.unit, data.View(Owner, owners.r_data))
        m.d.comb += [
            waiting.w_data.eq(self.requests.payload),
            waiting.w_en.eq(self.requests.valid),
            self.requests.ready.eq(waiting.w_rdy),
            waiting.r_en.eq(splitter.command.ready),
            splitter.command.valid.eq(waiting.r_rdy),
            command.address.eq(self.base + request.address),
            command.rows.eq(1),
            command.beats.eq(request.beats),
            allowed.eq(Array(rooms)[now.unit] & owners.w_rdy),
            self.bursts.payload.eq(splitter.bursts.payload),
            self.bursts.valid.eq(splitter.bursts.valid & allowed),
            splitter.bursts.ready.eq(self.bursts.ready & allowed),
            owners.w_en.eq(self.bursts.valid & self.bursts.ready),
            owners.w_data.eq(now),
            owners.r_en.eq(self.beats.valid & self.beats.payload.last),
        ]
        with m.If(waiting.r_rdy & waiting.r_en):
            m.d.sync += [now.unit.eq(request.engine - Engine.POINTWISE), now.index.eq(request.index)]
        return m

    def _fifos(self, m: Module, asking: Signal, owner: data.View) -> list[Signal]:
        """One FIFO per consumer; the answer tells for each whether it has room for a burst."""
        rooms = []
        beat = self.beats.payload
        asked = Signal(range(MAX_BEATS + 1))
        with m.If(self.bursts.valid & self.bursts.ready):
            m.d.comb += asked.eq(self.bursts.payload.len + 1)
        m.d.comb += self.beats.ready.eq(1)
        for unit, depth in enumerate(self._depths):
            m.submodules[f"fifo{unit}"] = fifo = SyncFIFOBuffered(width=DATA_BITS, depth=depth)
            left = Signal(range(depth + 1), init=depth, name=f"left{unit}")
            has_room = Signal(name=f"has_room{unit}")
            out = self.params[unit]
            m.d.comb += [
                fifo.w_data.eq(beat.data),
                fifo.w_en.eq(self.beats.valid & (owner.unit == unit)),
                fifo.r_en.eq(~out.valid | out.ready),
                has_room.eq(left >= MAX_BEATS),
            ]
            with m.If(fifo.r_en):  # the block RAM's output register
                m.d.sync += [out.payload.eq(fifo.r_data), out.valid.eq(fifo.r_rdy)]
            m.d.sync += left.eq(left - Mux(asking == unit, asked, 0) + (out.valid & out.ready))
            rooms.append(has_room)
        with m.If(self.beats.valid & beat.error):
            m.d.comb += self.fault.eq(1)
        m.d.comb += [self.fault_engine.eq(owner.unit + Engine.POINTWISE), self.fault_index.eq(owner.index)]
        return rooms
