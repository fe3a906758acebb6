# SPDX-License-Identifier: Apache-2.0
"""The constants of an addition on two grids."""

from __future__ import annotations

import math

from codesign.numeric import normalise_multiplier


def add_parameters(scale_a: float, scale_b: float, scale_out: float, layer: str) -> tuple[tuple[int, int], int]:
    """((M_a, M_b), S): the larger multiplier normalised, the other on its shift (docs/numeric-contract.md)."""
    larger, shift = normalise_multiplier(max(scale_a, scale_b) / scale_out, layer)
    smaller = round(math.ldexp(min(scale_a, scale_b) / scale_out, shift))
    return ((larger, smaller) if scale_a >= scale_b else (smaller, larger)), shift
