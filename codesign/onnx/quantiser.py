# SPDX-License-Identifier: Apache-2.0
"""Scales and zero points out of Quant, QuantizeLinear and DequantizeLinear, as the integer graph holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from codesign.numeric import ACT_BITS, CODE_MAX, CODE_MIN
from codesign.onnx.model import Model, Operator, Unsupported
from codesign.onnx.reference.quantisation import integer_range, output_type, quant_range, rounding_mode

_UNSIGNED = 1 << (ACT_BITS - 1)  #: what an unsigned code is above the int8 code that holds it


@dataclass(frozen=True)
class Quantiser:
    """One tensor's int8 codes: real = scale · (code − zero_point), code within lo..hi.

    ``shift`` is what the model's own code is above ours: 128 for unsigned codes, else 0.
    """

    scale: float
    zero_point: int
    lo: int = CODE_MIN
    hi: int = CODE_MAX
    shift: int = 0

    def code(self, real: float) -> int:
        """The code of a real value, which may be infinite, within lo..hi."""
        if math.isinf(real):
            return self.hi if real > 0 else self.lo
        wide = round(real / self.scale) + self.zero_point  # Python rounds half to even
        return min(max(wide, self.lo), self.hi)

    def same_grid(self, scale: float, zero_point: int) -> bool:
        """Whether codes mean the same reals."""
        return (self.scale, self.zero_point) == (scale, zero_point)


def quant_quantiser(model: Model, operator: Operator) -> Quantiser:
    """The quantiser of a QONNX Quant of activations."""
    mode = rounding_mode(operator.attributes)
    if mode not in ("ROUND", "HALF_EVEN"):
        raise Unsupported(f"rounds by {mode}", "use rounding mode ROUND")
    if len(operator.inputs) != 4:
        raise Unsupported(f"has {len(operator.inputs)} inputs, want data, scale, zero point and bit width", "export again")
    scale, zero = (_scalar(model, operator.inputs[i], what) for i, what in ((1, "scale"), (2, "zero point")))
    bits = _scalar(model, operator.inputs[3], "bit width")
    if bits != int(bits) or not 2 <= bits <= ACT_BITS:
        raise Unsupported(f"codes of {bits:g} bits", f"use 2 to {ACT_BITS} bits for activations")
    lo, hi = quant_range(int(bits), operator.attributes)
    return _quantiser(scale, zero, lo, hi, 0 if operator.attributes.get("signed", 1) else _UNSIGNED)


def linear_quantiser(model: Model, operator: Operator, integers: str = "") -> Quantiser:
    """The quantiser of a QuantizeLinear or DequantizeLinear of activations. ``integers``: the type of those that a
    DequantizeLinear takes, which is the zero point's too where it has none."""
    if operator.attributes.get("block_size", 0):
        raise Unsupported("quantises activations by blocks", "use one scale per tensor")
    scale = _scalar(model, operator.inputs[1], "scale")
    zero = 0.0
    if len(operator.inputs) > 2 and operator.inputs[2]:
        zero = _scalar(model, operator.inputs[2], "zero point")
        kind = model.constants[operator.inputs[2]].dtype
    else:
        kind = np.dtype(integers) if integers else output_type(operator.attributes)
    if kind.name not in ("int8", "uint8", "int4", "uint4"):
        raise Unsupported(f"codes of type {kind.name}", "quantise activations to int8 or uint8")
    return _quantiser(scale, zero, *integer_range(kind), _UNSIGNED if kind.name.startswith("u") else 0)


def _quantiser(scale: float, zero: float, lo: int, hi: int, shift: int) -> Quantiser:
    if not math.isfinite(scale) or scale <= 0:
        raise Unsupported(f"scale {scale:g}", "calibrate again: a scale is a positive number")
    if zero != int(zero) or not lo <= zero <= hi:
        raise Unsupported(f"zero point {zero:g}", f"use a whole zero point, {lo} to {hi}")
    return Quantiser(scale, int(zero) - shift, lo - shift, hi - shift, shift)


def _scalar(model: Model, name: str, what: str) -> float:
    """The one value of a constant tensor."""
    found = model.constants.get(name)
    if found is None:
        raise Unsupported(f"its {what} is computed at run time", "quantise statically: scales must be constants")
    values = np.unique(np.asarray(found, np.float64))
    if not np.isfinite(values).all():
        raise Unsupported(f"its {what} is not a finite number", "calibrate or train again")
    if values.size != 1:
        raise Unsupported(f"its {what} has {found.size} values", "quantise activations per tensor, not per channel")
    return float(values[0])
