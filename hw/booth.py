# SPDX-License-Identifier: Apache-2.0
"""Small products in LUTs: a weight is a nibble and a carry, ``nibble + carry``, and two radix-4 Booth digits of it.

Bits (carry, b0, b1) are the digit ``carry + b0 - 2 * b1``, and b1 is the carry of the next one: so the high half of a
byte, (byte + 8) >> 4, is its upper nibble with bit 3 as the carry.
"""

from __future__ import annotations

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data

from codesign.numeric import ACT_BITS

SIGN = 1 << ACT_BITS  # of a digit's row
PRODUCT_BIAS = SIGN + 4 * SIGN

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


def add_product(m: Module, total: Value, weight: Value, x: Value) -> Value:
    """``total + x * (carry + nibble) + PRODUCT_BIAS``, weight = (carry, nibble), modulo the width of ``total``.

    A row's sign bit, inverted, is that bit plus 1: so nothing is extended into the upper bits of the sum, and a sum
    that begins at -n * `PRODUCT_BIAS` is right after n products.
    """
    middle = _add_biased(m, total, recode(m, weight[:3]), x)
    return Cat(middle[:2], _add_biased(m, middle[2:], recode(m, weight[2:]), x))


def _add_biased(m: Module, total: Value, digit: data.View, x: Value) -> Value:
    row = digit_row(digit, x) ^ SIGN
    term = Cat(row[: ACT_BITS + 1], Const(0, len(total) - ACT_BITS - 1))
    return plus(m, total, term, digit.negative, len(total))
