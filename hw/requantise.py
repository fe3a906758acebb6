# SPDX-License-Identifier: Apache-2.0
"""One lane of requantisation: accumulator to int8 code."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS


class Requantiser(wiring.Component):
    """``code = clamp(rne((acc * multiplier + bias) / 2**shift) + zero, lo, hi)``, exactly
    `codesign.numeric.requantise`.

    One value a cycle, `LATENCY` cycles, rigid: no valid, no stall. The lane's owner delays its own valid bit.
    Five registers: product (a DSP's M), sum with the bias (its P), coarse shift, most of the fine shift, and with its
    last bit offset and clamp.

    The inputs belong together in one cycle; with ``skewed`` each is instead sampled when its stage needs it,
    so that
    an owner whose parameters stay for many values need not pay for delay registers: ``multiplier`` with
    ``acc``, ``bias`` `BIAS_AT` cycles later, ``shift`` `SHIFT_AT` later, ``zero``, ``lo`` and ``hi``
    `OFFSET_AT` later.

    With ``sums`` a value may be a sum of two products: ``add``, sampled with ``bias``, adds the product to the sum at hand
    in place of the bias (a DSP's P fed back), and ``hold``, likewise, keeps that sum while there is none.

    Left out: shifts below 8, which the contract excludes, and a check that ``|acc * multiplier + bias| < 2**47``, which
    lowering proves.

    Parameters
    ----------
    acc_bits: width of the signed accumulator.
    skewed: parameters arrive stage by stage (above).
    sums: has ``add`` and ``hold``; only with ``skewed``.
    """

    PRODUCT, SUM, COARSE, FINE, CLAMP = 1, 1, 1, 1, 1  # registers of each stage
    BIAS_AT = PRODUCT
    SHIFT_AT = BIAS_AT + SUM
    OFFSET_AT = SHIFT_AT + COARSE + FINE
    LATENCY = OFFSET_AT + CLAMP

    SUM_BITS = BIAS_BITS
    KEPT_BITS = 16  # integer bits after the coarse shift: more is outside int8 for any fine shift and zero
    NEAR_BITS = 9  # integer bits after the fine shift, likewise

    def __init__(self, acc_bits: int, *, skewed: bool = False, sums: bool = False):
        if not 8 <= acc_bits <= 32:
            raise ValueError(f"acc_bits = {acc_bits}: must be 8..32")
        if sums and not skewed:
            raise ValueError("sums = True: needs skewed = True")
        self._skewed, self._sums = skewed, sums
        super().__init__(
            {
                "acc": In(signed(acc_bits)),
                "multiplier": In(MULTIPLIER_BITS),
                "bias": In(signed(self.SUM_BITS)),
                "shift": In(SHIFT_BITS),
                "zero": In(signed(8)),
                "lo": In(signed(8)),
                "hi": In(signed(8)),
                "code": Out(signed(8)),
            }
            | ({"add": In(1), "hold": In(1)} if sums else {})
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bias = self._late(m, self.bias, self.BIAS_AT)
        shift = self._late(m, self.shift, self.SHIFT_AT)
        zero, lo, hi = (self._late(m, value, self.OFFSET_AT) for value in (self.zero, self.lo, self.hi))

        product = Signal(signed(self.SUM_BITS), reset_less=True)
        total = Signal(signed(self.SUM_BITS), reset_less=True)
        m.d.sync += product.eq(self.acc * self.multiplier)
        if self._sums:
            with m.If(~self.hold):
                m.d.sync += total.eq(product + Mux(self.add, total, bias))
        else:
            m.d.sync += total.eq(product + bias)

        kept, sticky, fine = self._coarse(m, total, shift)
        self._finish(m, *self._middle(m, kept, sticky, fine), zero, lo, hi)
        return m

    def _late(self, m: Module, value: Signal, cycles: int) -> Signal:
        """``value`` as its stage sees it."""
        for _ in range(0 if self._skewed else cycles):
            later = Signal(value.shape(), reset_less=True)
            m.d.sync += later.eq(value)
            value = later
        return value

    def _coarse(self, m: Module, total: Signal, shift: Signal) -> tuple[Signal, Signal, Signal]:
        """Shift by 8, 16 or 24, saturate, keep one bit of fraction and whether anything below it was set."""
        kept = Signal(signed(self.KEPT_BITS + 1), reset_less=True)
        sticky, fine = Signal(reset_less=True), Signal(3, reset_less=True)
        negative = total[-1]
        alike = Signal(4)  # bits from 8 * step + KEPT_BITS - 1 on are the sign's
        below = Signal(4)  # a bit beneath the half bit is set
        for step in range(3, 0, -1):
            top = 8 * step + self.KEPT_BITS - 1
            part = total[top : top + 8 if step < 3 else -1] ^ negative.replicate(8 if step < 3 else 47 - top)
            m.d.comb += alike[step].eq(~part.any() & (alike[step + 1] if step < 3 else 1))
        for step in range(1, 4):
            low = max(8 * step - 9, 0)
            m.d.comb += below[step].eq(total[low : 8 * step - 1].any() | (below[step - 1] if step > 1 else 0))
        saturated, way = Signal(), Signal(2)
        m.d.comb += [saturated.eq(~alike.bit_select(shift[3:], 1)), way.eq(Mux(saturated, 0, shift[3:]))]
        m.d.sync += [fine.eq(shift[:3]), sticky.eq(below.bit_select(shift[3:], 1))]
        for bit in range(self.KEPT_BITS + 1):
            with m.Switch(way):
                with m.Case(0):
                    m.d.sync += kept[bit].eq(negative if bit == self.KEPT_BITS else ~negative)
                for step in range(1, 4):
                    with m.Case(step):
                        m.d.sync += kept[bit].eq(total[8 * step - 1 + bit])
        return kept, sticky, fine

    def _middle(self, m: Module, kept: Signal, sticky: Signal, fine: Signal) -> tuple[Signal, ...]:
        """Shift by 0, 2, 4 or 6, saturate to what one more shift brings into `NEAR_BITS`."""
        near = Signal(self.NEAR_BITS + 2, reset_less=True)  # half bit, integer bits, one more of them
        low, odd = Signal(reset_less=True), Signal(reset_less=True)
        far, negative = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [odd.eq(fine[0]), negative.eq(kept[-1])]
        with m.Switch(fine[1:]):
            for step in range(4):
                with m.Case(step):
                    beyond = kept[2 * step + len(near) - 1 :]
                    m.d.sync += [
                        near.eq(kept[2 * step : 2 * step + len(near)]),
                        low.eq(sticky | kept[: 2 * step].any()),
                        far.eq(beyond.any() & ~beyond.all()),
                    ]
        return near, low, odd, far, negative

    def _finish(
        self, m: Module, near: Signal, low: Signal, odd: Signal, far: Signal, negative: Signal,
        zero: Signal, lo: Signal, hi: Signal,
    ) -> None:  # fmt: skip
        """The last shift, rounding half to even, offset and clamp."""
        size = self.NEAR_BITS + 1
        floor, up, out = Signal(self.NEAR_BITS), Signal(), Signal()
        half, rest = Signal(), Signal()
        offset = Signal(signed(size))
        m.d.comb += [
            out.eq(far | ~odd & (near[-1] ^ near[-2])),
            floor.eq(Mux(odd, near[2:], near[1:-1])),
            half.eq(Mux(odd, near[1], near[0])),
            rest.eq(low | odd & near[0]),
            up.eq(half & (floor[0] | rest)),
            offset.eq((Cat(Const(1, 1), zero, zero[-1].replicate(2)) + Cat(up, floor, floor[-1]))[1:]),
        ]
        under, over = Mux(out, negative, offset < lo), Mux(out, ~negative, offset > hi)
        m.d.sync += self.code.eq(Mux(under, lo, Mux(over, hi, offset)))
