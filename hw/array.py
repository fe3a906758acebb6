# SPDX-License-Identifier: Apache-2.0
"""The multiplier array of the pointwise engine, with its double-buffered weights."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import ACT_BITS, OPERAND_BITS

GROUP = 8  # weights that one 64-bit beat of 8-bit weights fills; a beat of 4-bit weights fills two groups
PACK_AT = 18  # bits that hold a sum of 32 products: where the upper weight of a packed pair starts


class DotArray(wiring.Component):
    """``outputs`` signed dot products of ``lanes`` int8 activations with weights of -8..8, one set a cycle.

    The next weight tile is loaded beat by beat into a shadow while the active one multiplies. ``swap`` makes
    the shadow active for the ``x`` of the same cycle and all later ones: the low nibbles as signed numbers,
    or with ``swap_high`` the high half ``(byte + 8) >> 4`` of 8-bit weights. A swap leaves the shadow as it
    is, and a beat loaded in the swap's cycle belongs to the next tile.

    Latency `LATENCY` cycles from ``x`` to ``sums``, one vector a cycle, rigid: no valid, no stall.

    Two forms, equal cycle by cycle (a test compares them). With ``packed_outputs`` a number, that many
    outputs share DSP multipliers, two weights ``(upper << 18) + lower`` times one activation, and the others
    are radix-4 digits in LUTs: the form to synthesise. With None every product is a plain ``*``: the form to
    simulate.

    Left out: accumulation, zero points (lowering puts them into the bias), any use of -8..8 beyond 5 bits.

    Parameters
    ----------
    lanes, outputs: shape; lanes * outputs multipliers.
    packed_outputs: even number of outputs in DSPs, or None.

    Members
    -------
    load, load_data, load_index, load_wide: one beat of a tile, its number, and whether weights are 8-bit.
    swap, swap_high: see above.
    x: lanes activations, lane 0 lowest.
    sums: the dot products.
    """

    OPERANDS, PRODUCTS, PARTIALS, TOTALS = 1, 1, 1, 1  # registers after each step
    LATENCY = OPERANDS + PRODUCTS + PARTIALS + TOTALS
    PARTIAL = 8  # products in one partial sum

    def __init__(self, lanes: int, outputs: int, *, packed_outputs: int | None = None):
        if lanes not in (16, 32) or outputs % 4:
            raise ValueError(f"lanes = {lanes}, outputs = {outputs}: 16 or 32 lanes, a multiple of 4 outputs")
        if packed_outputs is not None and (packed_outputs % 2 or not 0 <= packed_outputs <= outputs):
            raise ValueError(f"packed_outputs = {packed_outputs}: must be even, 0..{outputs}")
        self.lanes, self.outputs, self.packed_outputs = lanes, outputs, packed_outputs
        self.groups = lanes * outputs // GROUP
        self.sum_shape = signed(17 if lanes == 32 else 16)
        super().__init__(
            {
                "load": In(1),
                "load_data": In(64),
                "load_index": In(range(self.groups)),
                "load_wide": In(1),
                "swap": In(1),
                "swap_high": In(1),
                "x": In(ACT_BITS * lanes),
                "sums": Out(data.ArrayLayout(self.sum_shape, outputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weights = self._weights(m)
        rows = [weights[o * self.lanes : (o + 1) * self.lanes] for o in range(self.outputs)]
        x = [Signal(signed(ACT_BITS), name=f"x{i}", reset_less=True) for i in range(self.lanes)]
        m.d.sync += [at.eq(self.x.word_select(i, ACT_BITS)) for i, at in enumerate(x)]
        if self.packed_outputs is None:
            for o, row in enumerate(rows):
                self._plain(m, x, row, o)
            return m
        for o in range(0, self.packed_outputs, 2):
            self._packed(m, x, rows[o], rows[o + 1], o)
        for o in range(self.packed_outputs, self.outputs):
            self._digits(m, x, rows[o], o)
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

    def _plain(self, m: Module, x: list[Signal], row: list[Signal], o: int) -> None:
        """One output in one expression; the registers the other forms need inside stand at its end."""
        total = tree([w * at for w, at in zip(row, x, strict=True)])
        for step in range(self.PRODUCTS + self.PARTIALS):
            total = self._register(m, total, self.sum_shape, f"total{o}_{step}")
        m.d.sync += self.sums[o].eq(total)

    def _packed(self, m: Module, x: list[Signal], lower: list[Signal], upper: list[Signal], o: int) -> None:
        """Two outputs on one multiplier a lane. The lower sum's sign is a borrow from the upper one: give it
        back."""
        width = PACK_AT + self.sum_shape.width
        products = []
        for i, (low, high, at) in enumerate(zip(lower, upper, x, strict=True)):
            pair = Signal(signed(PACK_AT + OPERAND_BITS + 1), name=f"pair{o}_{i}")
            m.d.comb += pair.eq((high << PACK_AT) + low)
            products.append(self._register(m, pair * at, signed(PACK_AT + 14), f"product{o}_{i}"))
        total = Signal(signed(width), name=f"packed{o}")
        m.d.comb += total.eq(tree(self._partials(m, products, signed(width), o)))
        m.d.sync += [
            self.sums[o].eq(total),
            self.sums[o + 1].eq(total[PACK_AT:].as_signed() + total[PACK_AT - 1]),
        ]

    def _digits(self, m: Module, x: list[Signal], row: list[Signal], o: int) -> None:
        """One output without multipliers: weight = 4 * d1 + d0 with d1 in -2..2 and d0 in -2..1. A negative
        term is inverted, and the ones that its two's complement lacks are counted from the weights alone."""
        terms, lacking = [], []
        for i, (weight, at) in enumerate(zip(row, x, strict=True)):
            d0, d1 = weight[:2].as_signed(), Signal(signed(3), name=f"digit{o}_{i}")
            m.d.comb += d1.eq((weight >> 2) + weight[1])
            terms.append(self._register(m, (term(d1, at) << 2) + term(d0, at), signed(13), f"product{o}_{i}"))
            lacking.append(Cat(d0[-1], 0, d1[-1]).as_unsigned())
        count = self._register(m, tree(lacking), range(5 * self.lanes + 1), f"lacking{o}")
        partials = self._partials(m, terms, self.sum_shape, o)
        m.d.sync += self.sums[o].eq(
            tree(partials) + self._register(m, count, count.shape(), f"lacking{o}_late")
        )

    def _partials(self, m: Module, products: list[Value], shape: ShapeLike, o: int) -> list[Signal]:
        parts = [products[i : i + self.PARTIAL] for i in range(0, self.lanes, self.PARTIAL)]
        return [self._register(m, tree(part), shape, f"partial{o}_{i}") for i, part in enumerate(parts)]

    @staticmethod
    def _register(m: Module, value: Value, shape: ShapeLike, name: str) -> Signal:
        register = Signal(shape, name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register


def tree(terms: Sequence[Value]) -> Value:
    """Balanced sum of a power of two of terms."""
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[0::2], terms[1::2], strict=True)]
    return terms[0]


def term(digit: Value, x: Value) -> Value:
    """``digit * x`` for a digit of -2..2; a negative digit gives one less, which the caller adds."""
    magnitude = Mux(digit[0], x, Mux(digit.any(), x << 1, 0))
    return Mux(digit[-1], ~magnitude, magnitude)
