# SPDX-License-Identifier: Apache-2.0
"""One lane of requantisation: accumulator to int8 code."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.hdl import ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.numeric import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS


class Requantiser(wiring.Component):
    """``code = clamp(rne((acc * multiplier + bias) / 2**shift) + zero, lo, hi)``, exactly
    `codesign.numeric.requantise`.

    One value a cycle, `LATENCY` cycles, rigid: no valid, no stall. The lane's owner delays its own valid bit.
    Five registers: product (a DSP's M), sum with the bias (its P), coarse shift, fine shift, offset and
    clamp.

    The inputs belong together in one cycle; with ``skewed`` each is instead sampled when its stage needs it,
    so that
    an owner whose parameters stay for many values need not pay for delay registers: ``multiplier`` with
    ``acc``, ``bias`` `BIAS_AT` cycles later, ``shift`` `SHIFT_AT` later, ``zero``, ``lo`` and ``hi``
    `OFFSET_AT` later.

    Left out: a check of the contract ``|acc * multiplier + bias| < 2**47``, which lowering proves.

    Parameters
    ----------
    acc_bits: width of the signed accumulator.
    skewed: parameters arrive stage by stage (above).
    """

    PRODUCT, SUM, COARSE, FINE, CLAMP = 1, 1, 1, 1, 1  # registers of each stage
    BIAS_AT = PRODUCT
    SHIFT_AT = BIAS_AT + SUM
    OFFSET_AT = SHIFT_AT + COARSE + FINE
    LATENCY = OFFSET_AT + CLAMP

    SUM_BITS = BIAS_BITS
    KEPT_BITS = 16  # integer bits after the coarse shift: more is outside int8 for any fine shift and zero

    def __init__(self, acc_bits: int, *, skewed: bool = False):
        if not 8 <= acc_bits <= 32:
            raise ValueError(f"acc_bits = {acc_bits}: must be 8..32")
        self._skewed = skewed
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
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bias = self._late(m, self.bias, self.BIAS_AT)
        shift = self._late(m, self.shift, self.SHIFT_AT)
        zero, lo, hi = (self._late(m, value, self.OFFSET_AT) for value in (self.zero, self.lo, self.hi))

        product = Signal(signed(self.SUM_BITS), reset_less=True)
        total = Signal(signed(self.SUM_BITS), reset_less=True)
        m.d.sync += [product.eq(self.acc * self.multiplier), total.eq(product + bias)]

        kept, sticky, fine = self._coarse(m, total, shift)
        rounded_down, up = self._fine(m, kept, sticky, fine)

        offset = rounded_down + up + zero
        m.d.sync += self.code.eq(Mux(offset < lo, lo, Mux(offset > hi, hi, offset)))
        return m

    def _late(self, m: Module, value: Signal, cycles: int) -> Signal:
        """``value`` as its stage sees it."""
        for _ in range(0 if self._skewed else cycles):
            later = Signal(value.shape(), reset_less=True)
            m.d.sync += later.eq(value)
            value = later
        return value

    def _coarse(self, m: Module, total: Signal, shift: Signal) -> tuple[Signal, Signal, Signal]:
        """Shift by 0, 8, 16 or 24, saturate, keep one bit of fraction and whether anything below it was
        set."""
        kept = Signal(signed(self.KEPT_BITS + 1), reset_less=True)
        sticky = Signal(reset_less=True)
        fine = Signal(3, reset_less=True)
        m.d.sync += fine.eq(shift[:3])
        for step in range(4):
            dropped = 8 * step
            scaled = Cat(0, total).as_signed() >> dropped
            above, negative = total[dropped + self.KEPT_BITS - 1 : -1], total[-1]
            fits = Mux(negative, above.all(), ~above.any())
            saturated = Cat((~negative).replicate(self.KEPT_BITS), negative)
            with m.If(shift[3:] == step):
                m.d.sync += [
                    kept.eq(Mux(fits, scaled[: self.KEPT_BITS + 1], saturated)),
                    sticky.eq(total[: max(dropped - 1, 0)].any()),
                ]
        return kept, sticky, fine

    def _fine(self, m: Module, kept: Signal, sticky: Signal, fine: Signal) -> tuple[Signal, ValueLike]:
        """Shift by 0..7; the second result is 1 where round half to even goes up."""
        floor = Signal(signed(self.KEPT_BITS), reset_less=True)
        up = Signal(reset_less=True)
        shifted = Signal(signed(self.KEPT_BITS + 1))
        below = Signal(7)  # what the fine shift drops beneath the half bit, left-aligned
        m.d.comb += [shifted.eq(kept >> fine), below.eq((Cat(Const(0, 7), kept[:7]) >> fine)[:7])]
        m.d.sync += [
            floor.eq(shifted[1:].as_signed()),
            up.eq(shifted[0] & (shifted[1] | sticky | below.any())),
        ]
        return floor, up
