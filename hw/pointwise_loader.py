# SPDX-License-Identifier: Apache-2.0
"""The weights side of the pointwise engine: parameter beats into the shadow registers, one pass ahead."""

from __future__ import annotations

from amaranth import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from hw.array import GROUP
from hw.pointwise_issue import INSTRUCTION
from hw.ports import ParamStream


class PointwiseLoader(wiring.Component):
    """Counts an instruction's parameter beats into the requantisation shadow and, tile by tile, the array's.

    One beat a cycle; a beat waits while its shadow is still in use. Beats and idle time may lie anywhere.

    Left out: a check that ``param_beats`` fits the instruction.

    Members
    -------
    instruction: the instruction whose parameters come next; taken while ``idle``.
    params: the beats.
    beat: valid beat this cycle, ``beat_index`` its number in its part, ``data`` its content.
    tile_load, wide: the beat belongs to a weight tile; its weights are 8-bit.
    requant_load, requant_done: it belongs to requantisation; it is the last of those.
    requant_free: the requantisation shadow may be filled.
    tile_ready: a tile is complete and not claimed; ``claim``: the issue side uses it for its last time.
    release: the array takes the tile, its shadow is free from this cycle on.
    """

    def __init__(self, config: AcceleratorConfig):
        self._weights = config.lanes * config.array_out
        self._requant_beats = 2 * config.array_out
        most = max(self._weights // GROUP, self._requant_beats)
        super().__init__(
            {
                "instruction": In(stream.Signature(unsigned(isa.INSTRUCTION_BITS), always_ready=True)),
                "idle": Out(1),
                "params": In(ParamStream),
                "index": Out(range(most)),
                "data": Out(64),
                "wide": Out(1),
                "tile_load": Out(1),
                "requant_load": Out(1),
                "requant_done": Out(1),
                "requant_free": In(1),
                "job": Out(INSTRUCTION),
                "tile_ready": Out(1),
                "claim": In(1),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        requant, tiles, held = Signal(), Signal(), Signal()  # parts still to come; the shadow holds a tile
        last_of_tile = self._weights // GROUP - 1
        end = Signal()
        m.d.comb += [
            self.idle.eq(~requant & ~tiles),
            self.wide.eq(self.job.w8),
            self.data.eq(self.params.payload),
            self.params.ready.eq(requant & self.requant_free | ~requant & tiles & (~held | self.release)),
            self.requant_load.eq(self.params.valid & self.params.ready & requant),
            self.tile_load.eq(self.params.valid & self.params.ready & ~requant),
            end.eq(self.tile_load & (self.index == last_of_tile >> ~self.wide)),
            self.requant_done.eq(self.requant_load & (self.index == self._requant_beats - 1)),
        ]
        with m.If(self.params.valid & self.params.ready):
            m.d.sync += self.index.eq(self.index + 1)
        with m.If(self.release):
            m.d.sync += held.eq(0)
        with m.If(self.claim):
            m.d.sync += self.tile_ready.eq(0)
        with m.If(self.requant_done):
            m.d.sync += [requant.eq(0), self.index.eq(0)]
        last_tile = self._last_tile(m, end)
        with m.If(end):
            m.d.sync += [self.index.eq(0), held.eq(1), self.tile_ready.eq(1), tiles.eq(~last_tile)]
        with m.If(self.instruction.valid & self.idle):
            taken = INSTRUCTION(self.instruction.payload[: INSTRUCTION.size])
            m.d.sync += [self.job.eq(self.instruction.payload), requant.eq(taken.last), tiles.eq(1)]
        return m

    def _last_tile(self, m: Module, end: Signal) -> Signal:
        """Counts planes, ky and kx as the issue side does: no product of the three is needed."""
        kx, ky, plane = Signal(3), Signal(3), Signal(12)
        last_kx, last_ky, last = Signal(), Signal(), Signal()
        m.d.comb += [
            last_kx.eq(kx == self.job.kw - 1),
            last_ky.eq(last_kx & (ky == self.job.kh - 1)),
            last.eq(last_ky & (plane == self.job.planes - 1)),
        ]
        with m.If(end):
            m.d.sync += kx.eq(kx + 1)
            with m.If(last_kx):
                m.d.sync += [kx.eq(0), ky.eq(ky + 1)]
            with m.If(last_ky):
                m.d.sync += [ky.eq(0), plane.eq(plane + 1)]
            with m.If(last):
                m.d.sync += plane.eq(0)
        return last
