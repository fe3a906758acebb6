# SPDX-License-Identifier: Apache-2.0
"""What the forms of the multiplier array share."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Module, Signal, Value

GROUP = 8  #: weights that one 64-bit beat of 8-bit weights fills; a beat of 4-bit weights fills two groups
SEGMENT = 4  #: lanes whose products are added one cycle after the other, along a cascade


def sum_bits(lanes: int) -> int:
    """Bits of a signed sum of ``lanes`` products of an int8 and a weight of -8..8."""
    return 12 + (lanes - 1).bit_length()


def tree(terms: Sequence[Value]) -> Value:
    """Balanced sum of one or more terms."""
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[0::2], terms[1::2], strict=False)]
        terms = [*pairs, *terms[2 * len(pairs) :]]
    return terms[0]


def delayed(m: Module, value: Value, cycles: int, name: str) -> list[Value]:
    """``value`` after 0, 1, ... ``cycles`` registers without reset."""
    stages = [value]
    for cycle in range(cycles):
        stages.append(Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=True))
        m.d.sync += stages[-1].eq(stages[-2])
    return stages
