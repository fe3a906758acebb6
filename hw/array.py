# SPDX-License-Identifier: Apache-2.0
"""The multiplier array of the pointwise engine, with its double-buffered weights."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import ACT_BITS, OPERAND_BITS
from hw.array_layout import LaidOutArray
from hw.array_parts import GROUP, SEGMENT, delayed, sum_bits, tree
from hw.dsp48 import Dsp48
from hw.multipliers import QUAD, Multipliers


class DotArray(wiring.Component):
    """``outputs`` signed dot products of ``lanes`` int8 activations with weights of -8..8, one set a cycle.

    The next weight tile is loaded beat by beat into a shadow while the active one multiplies. ``swap`` makes
    the shadow active for the ``x`` of the same cycle and all later ones: the low nibbles as signed numbers,
    or with ``swap_high`` the high half ``(byte + 8) >> 4`` of 8-bit weights. A swap leaves the shadow as it
    is, and a beat loaded in the swap's cycle belongs to the next tile. Between a tile's last beat and its swap lie
    at least `LEAD` cycles; between a high swap and the next beat, the swap to the low nibbles.

    Latency `LATENCY` cycles from ``x`` to ``sums``, one vector a cycle, rigid: no valid, no stall.

    Two forms, equal cycle by cycle (a test compares them). With ``layout``, sums travel along DSP cascades and
    carry chains of `SEGMENT` lanes: the form to synthesise, `LaidOutArray`. With None every product is a plain
    ``*``: the form to simulate.

    Left out: accumulation, zero points (lowering puts them into the bias), any use of -8..8 beyond 5 bits.

    Parameters
    ----------
    lanes, outputs: shape; lanes * outputs multipliers.
    layout: which of them are in DSPs, or None.

    Members
    -------
    load, load_data, load_index, load_wide: one beat of a tile, its number, and whether weights are 8-bit.
    swap, swap_high: see above.
    x: lanes activations, lane 0 lowest.
    sums: the dot products.
    """

    PARTIALS, TOTALS = 1, 1  # registers after the segments' sums
    LATENCY = Dsp48.LATENCY + SEGMENT - 1 + PARTIALS + TOTALS
    LEAD = SEGMENT

    def __init__(self, lanes: int, outputs: int, *, layout: Multipliers | None = None):
        if lanes not in (16, 32) or outputs % 4:
            raise ValueError(f"lanes = {lanes}, outputs = {outputs}: 16 or 32 lanes, a multiple of 4 outputs")
        if layout is not None and layout.quads > lanes * outputs // (2 * QUAD):
            raise ValueError(
                f"quads = {layout.quads}: {lanes} x {outputs} has {lanes * outputs // (2 * QUAD)}"
            )
        self.lanes, self.outputs, self.layout = lanes, outputs, layout
        self.groups = lanes * outputs // GROUP
        super().__init__(
            {
                "load": In(1),
                "load_data": In(64),
                "load_index": In(range(self.groups)),
                "load_wide": In(1),
                "swap": In(1),
                "swap_high": In(1),
                "x": In(ACT_BITS * lanes),
                "sums": Out(data.ArrayLayout(signed(sum_bits(lanes)), outputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        if self.layout is not None:
            return LaidOutArray(self, self.layout).elaborate(platform)
        m = Module()
        weights = self._weights(m)
        x = [Signal(signed(ACT_BITS), name=f"x{i}", reset_less=True) for i in range(self.lanes)]
        m.d.sync += [at.eq(self.x.word_select(i, ACT_BITS)) for i, at in enumerate(x)]
        for o in range(self.outputs):
            row = weights[o * self.lanes : (o + 1) * self.lanes]
            total = Signal(signed(sum_bits(self.lanes)), name=f"total{o}")
            m.d.comb += total.eq(tree([w * at for w, at in zip(row, x, strict=True)]))
            m.d.comb += self.sums[o].eq(delayed(m, total, self.LATENCY - 1, f"total{o}")[-1])
        return m

    def _shadow(self, m: Module) -> tuple[Value, Value]:
        """Low and high nibbles of the tile being loaded, weight after weight."""
        nibbles = [self.load_data.word_select(i, 4) for i in range(16)]
        low = [Signal(4 * GROUP, name=f"low{g}", reset_less=True) for g in range(self.groups)]
        high = [Signal(4 * GROUP, name=f"high{g}", reset_less=True) for g in range(self.groups)]
        low_beat = [Signal(4 * GROUP, name=f"low_beat{half}") for half in range(2)]
        high_beat = Signal(4 * GROUP)
        m.d.comb += high_beat.eq(Cat(nibbles[1::2]))
        for half in range(2):
            narrow = self.load_data.word_select(half, 32)
            m.d.comb += low_beat[half].eq(Mux(self.load_wide, Cat(nibbles[0::2]), narrow))
        for g in range(self.groups):
            mine = Mux(self.load_wide, self.load_index == g, self.load_index == g // 2)
            with m.If(self.load & mine):
                m.d.sync += [low[g].eq(low_beat[g % 2]), high[g].eq(high_beat)]
        return Cat(low), Cat(high)

    def _weights(self, m: Module) -> list[Signal]:
        """The active weights, one register each."""
        low, high = self._shadow(m)
        active = [
            Signal(signed(OPERAND_BITS), name=f"w{i}", reset_less=True) for i in range(GROUP * self.groups)
        ]
        with m.If(self.swap):
            for i, weight in enumerate(active):
                lower, upper = (half.word_select(i, 4).as_signed() for half in (low, high))
                m.d.sync += weight.eq(Mux(self.swap_high, upper + lower[3], lower))
        return active
