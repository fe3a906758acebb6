# SPDX-License-Identifier: Apache-2.0
"""The last step of one output channel: accumulator to code, with each constant and rule open to be replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import Add, Conv, DeformConv, GlobalAveragePool, Node
from codesign.numeric import rne

Rounding = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Affine:
    """``clamp(round((acc * multiplier + bias) / 2**shift) + zero_point, lo, hi)``; ``rounding`` is the contract's `rne`."""

    multiplier: int
    bias: int
    shift: int
    zero_point: int
    lo: int
    hi: int
    rounding: Rounding = rne

    def scaled(self, acc: np.ndarray) -> np.ndarray:
        """acc * M + B, int64."""
        return acc.astype(np.int64) * self.multiplier + self.bias

    def rounded(self, acc: np.ndarray) -> np.ndarray:
        """Before the clamp, int64."""
        return self.rounding(self.scaled(acc), self.shift) + self.zero_point

    def codes(self, acc: np.ndarray) -> np.ndarray:
        """Output codes, int64."""
        return self.rounded(acc).clip(self.lo, self.hi)


def affine(node: Node, channel: int, zero_points: list[int]) -> Affine | None:
    """Of one output channel; None for an operator without requantisation."""
    match node:
        case Conv() | DeformConv() | GlobalAveragePool():
            r = node.requant
            constants = (int(values[channel]) for values in (r.multiplier, r.bias, r.shift))
            return Affine(*constants, r.zero_point, r.lo, r.hi)
        case Add():
            bias = -sum(int(m) * zero for m, zero in zip(node.multipliers, zero_points, strict=True))
            return Affine(1, bias, node.shift, node.zero_point, node.lo, node.hi)
    return None


def half_up(value: np.ndarray, shift: int) -> np.ndarray:
    """Half towards plus infinity."""
    return (value + (1 << (shift - 1))) >> shift


def half_away(value: np.ndarray, shift: int) -> np.ndarray:
    """Half away from zero."""
    return np.sign(value) * ((np.abs(value) + (1 << (shift - 1))) >> shift)


def floor(value: np.ndarray, shift: int) -> np.ndarray:
    """Bits cut off."""
    return value >> shift


def to_zero(value: np.ndarray, shift: int) -> np.ndarray:
    """Towards zero, as C divides."""
    return np.sign(value) * (np.abs(value) >> shift)
