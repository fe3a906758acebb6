# SPDX-License-Identifier: Apache-2.0
"""A convolution's integer constants as single-precision scales and biases from which importing finds the same integers."""

from __future__ import annotations

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Tensor
from codesign.numeric import MULTIPLIER_NORMAL, SHIFT_MAX, normalise_multiplier, requant_parameters

Constants = tuple[np.ndarray, np.ndarray, np.ndarray]  #: (M, S, B), int64 (Cout,) each


def conv_scales(multiplier: np.ndarray, shift: np.ndarray, alive: np.ndarray, source: float, output: float, layer: str) -> np.ndarray:
    """float32 (Cout,) weight scales from which importing finds M and S again; channels not ``alive`` have only zeros."""
    found = np.ones(multiplier.shape, np.float32)
    for c in np.flatnonzero(alive):
        m, s = int(multiplier[c]), int(shift[c])
        found[c] = np.float32(np.ldexp(max(m, 0.25), -s) * output / source)
        if found[c] <= 0 or normalise_multiplier(float(source * float(found[c]) / output), layer, int(c)) != (m, s):
            raise UserError(f"layer {layer!r} channel {c}: multiplier {m} with shift {s} cannot be written as a scale; normalise it")
    return found


def conv_biases(
    weight: np.ndarray, requant: Constants, scale: np.ndarray, source: Tensor, output: float, layer: str
) -> tuple[np.ndarray, np.ndarray]:
    """float32 (Cout,) twice: a bias and what is to be added to it, from which importing finds B again. The second is mostly
    zeros where one single-precision number is enough."""
    m, s, b = requant
    sums = weight.reshape(weight.shape[0], -1).astype(np.int64).sum(axis=1)
    real = source.scale * scale.astype(np.float64) / output
    gain = np.where(m >= MULTIPLIER_NORMAL, m / real, np.ldexp(1.0, SHIFT_MAX))  # output codes to B's grid
    target = (b + source.zero_point * sums * m).astype(np.float64) / gain * output
    first = target.astype(np.float32)
    rest = (target - first).astype(np.float32)
    for bias in (first.astype(np.float64), first.astype(np.float64) + rest):
        again = requant_parameters(weight, source.scale, scale.astype(np.float64), output, source.zero_point, bias, layer)
        wrong = np.flatnonzero(again[2] != b)
        if not wrong.size:
            return first, np.where(bias == first, np.float32(0), rest)
    raise UserError(f"layer {layer!r} channel {wrong[0]}: bias {b[wrong[0]]} cannot be written in single precision; scale the layer down")


def settled_channels(weight: np.ndarray, requant: Constants) -> Constants:
    """(M, S, B) as importing writes them: channels of zero weights have M = 0, S = 31 and the same output."""
    m, s, b = (values.copy() for values in requant)
    limit = 1 << 46  # far beyond any code, where the output is clamped
    for c in np.flatnonzero(~weight.reshape(weight.shape[0], -1).any(axis=1)):
        b[c] = min(max(int(b[c]) << (SHIFT_MAX - int(s[c])), -limit), limit)
        m[c], s[c] = 0, SHIFT_MAX
    return m, s, b
