# SPDX-License-Identifier: Apache-2.0
"""Small products in LUTs: a weight is a nibble and a carry, ``nibble + carry``, and two radix-4 Booth digits of it.

Bits (carry, b0, b1) are the digit ``carry + b0 - 2 * b1``, and b1 is the carry of the next one: so the high half of a
byte, (byte + 8) >> 4, is its upper nibble with bit 3 as the carry.
"""

from __future__ import annotations

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data

from codesign.numeric import ACT_BITS

#: A digit of -2..2: its size is 1, 2 or 0; 0 may be negative as well.
DIGIT = data.StructLayout({"one": 1, "two": 1, "negative": 1})


def extended(value: Value, width: int) -> Value:
    """Sign-extended to ``width`` bits, or cut to them."""
    return Cat(value, value[-1].replicate(max(0, width - len(value))))[:width]


def recode(m: Module, bits: Value) -> data.View:
    """The digit of bits (carry, b0, b1)."""
    carry, low, high = bits
    digit = Signal(DIGIT)
    m.d.comb += [digit.one.eq(low ^ carry), digit.two.eq(~digit.one & (high ^ low)), digit.negative.eq(high)]
    return digit


def digit_row(digit: data.View, x: Value) -> Value:
    """``digit * x`` in nine bits, 1 less where the digit is negative."""
    size = ACT_BITS + 1
    magnitude = extended(x, size) & digit.one.replicate(size) | Cat(Const(0, 1), x) & digit.two.replicate(
        size
    )
    return magnitude ^ digit.negative.replicate(size)


def plus(m: Module, total: Value, term: Value, carry: Value, width: int) -> Value:
    """``total + term + carry``, signed, in ``width`` bits.

    Written as a difference, because synthesis puts the minuend on the carry chain's direct input and only the
    logic of ``term`` into the LUT in front of it.
    """
    inverted, result = Signal(len(term)), Signal(width + 1)
    m.d.comb += inverted.eq(~term)
    m.d.comb += result.eq(Cat(Const(0, 1), extended(total, width)) - Cat(~carry, extended(inverted, width)))
    return result[1:].as_signed()


def add_digit(m: Module, total: Value, digit: data.View, x: Value, width: int) -> Value:
    """``total + digit * x``, signed, in ``width`` bits: a negative digit's missing 1 comes in as the carry."""
    return plus(m, total, digit_row(digit, x), digit.negative, width)


def add_product(m: Module, total: Value, weight: Value, x: Value, width: int) -> Value:
    """``total + x * (carry + nibble)``, weight = (carry, nibble), in ``width`` bits."""
    first = width if len(total) > 1 else ACT_BITS + 2
    middle = add_digit(m, total, recode(m, weight[:3]), x, first)
    return Cat(middle[:2], add_digit(m, middle[2:], recode(m, weight[2:]), x, width - 2)).as_signed()
