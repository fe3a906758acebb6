# SPDX-License-Identifier: Apache-2.0
"""The requantiser against the contract, in two halves that meet at the 48-bit sum."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Assert, Assume

from codesign.numeric import BIAS_BITS, SHIFT_MAX, SHIFT_MIN
from tests.formal.harness import Harness


def behind_the_sum(module: ModuleType) -> Any:
    """The stages behind the sum, whose 48 bits are free."""

    class Behind(_with_sum(module)):
        def _coarse(self, m: Module, total: Signal, shift: Signal) -> tuple[Signal, Signal, Signal]:
            return super()._coarse(m, self.total, shift)

    return Behind(24, skewed=True)


def up_to_the_sum(module: ModuleType) -> Any:
    """A requantiser that shows its sum."""

    class Until(_with_sum(module)):
        def _coarse(self, m: Module, total: Signal, shift: Signal) -> tuple[Signal, Signal, Signal]:
            m.d.comb += self.total.eq(total)
            return super()._coarse(m, total, shift)

    return Until(32, skewed=True)


def _with_sum(module: ModuleType) -> type:
    class WithSum(module.Requantiser):
        def __init__(self, *args: Any, **more: Any):
            super().__init__(*args, **more)
            self.total = Signal(signed(BIAS_BITS), name="sum")

    return WithSum


class RoundsAndClamps(Harness):
    """For each of the 2^48 sums t, each shift S of 8..31, each zero point and all bounds lo <= hi:
    code = clamp(rne(t / 2^S) + zero, lo, hi), by division with remainder as `codesign.numeric.rne` writes it."""

    def __init__(self, dut: Any, shifts: tuple[int, int] = (SHIFT_MIN, SHIFT_MAX)):
        self.shifts = shifts
        inputs = {"total": signed(BIAS_BITS), "shift": 5}
        super().__init__(dut, inputs | {name: signed(8) for name in ("zero", "lo", "hi")})

    def check(self, m: Module) -> None:
        m.d.comb += self.dut.total.eq(self.total)
        for name in ("total", "shift", "zero", "lo", "hi"):
            self.constant(m, getattr(self, name))  # a pipeline without feedback: one value says all
        self.drive(m, self.dut, shift="shift", zero="zero", lo="lo", hi="hi")
        m.d.comb += Assume((self.shift >= self.shifts[0]) & (self.shift <= self.shifts[1]) & (self.lo <= self.hi))
        age = Signal(3)
        m.d.sync += age.eq(age + (age != 7))
        code = self._contract(m)
        with m.If(age >= 3):  # coarse, fine, clamp
            m.d.comb += Assert(self.dut.code == code)

    def _contract(self, m: Module) -> Signal:
        quotient, rest = Signal(signed(BIAS_BITS)), Signal(SHIFT_MAX)
        half, rounded = Signal(SHIFT_MAX), Signal(signed(BIAS_BITS + 2))
        code = Signal(signed(8))
        m.d.comb += [
            quotient.eq(self.total >> self.shift),
            rest.eq(self.total - (quotient << self.shift)),
            half.eq((1 << self.shift) >> 1),
            rounded.eq(quotient + ((rest > half) | ((rest == half) & quotient[0])) + self.zero),
            code.eq(Mux(rounded < self.lo, self.lo, Mux(rounded > self.hi, self.hi, rounded))),
        ]
        return code


class MultipliesAndAdds(Harness):
    """For every 32-bit accumulator, 16-bit multiplier and 48-bit bias the sum is acc * M + B, to 48 bits, two cycles
    later."""

    def __init__(self, dut: Any):
        super().__init__(dut, {"acc": signed(32), "multiplier": 16, "bias": signed(BIAS_BITS)})

    def check(self, m: Module) -> None:
        self.drive(m, self.dut, acc="acc", multiplier="multiplier", bias="bias")
        product, total = Signal(signed(BIAS_BITS)), Signal(signed(BIAS_BITS))
        m.d.sync += [product.eq(self.acc * self.multiplier), total.eq(product + self.bias)]
        age = Signal(2)
        m.d.sync += age.eq(age + (age != 3))
        with m.If(age >= 2):
            m.d.comb += Assert(self.dut.total == total)
