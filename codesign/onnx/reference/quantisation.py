# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear, DequantizeLinear and QONNX's Quant: codes of reals and reals of codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: rounding modes of QONNX
ROUNDING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "ROUND_TO_ZERO": np.trunc,
    "DOWN": np.trunc,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}


def integer_range(kind: np.dtype) -> tuple[int, int]:
    """(least, greatest) of an integer type by its name; types below 8 bits are ml_dtypes' and unknown to NumPy's iinfo."""
    bits = int(kind.name.lstrip("uint"))
    return (0, 2**bits - 1) if kind.name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def quantize_linear(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Codes of data, by scale and zero point (per tensor, per ``axis`` or per block), rounded half to even, saturated."""
    data, scale = inputs[0], inputs[1]
    zero = inputs[2] if len(inputs) > 2 else None
    kind = zero.dtype if zero is not None else output_type(attributes)
    least, greatest = integer_range(kind)
    wide = 0 if zero is None else spread(zero.astype(np.int64), data.shape, attributes)
    codes = np.rint(data / spread(scale, data.shape, attributes)) + wide
    return [np.clip(codes, least, greatest).astype(kind)]


def dequantize_linear(inputs: list, attributes: dict) -> list[np.ndarray]:
    """scale · (code − zero point), in the scale's type."""
    codes, scale = inputs[0], inputs[1]
    wide = codes.astype(np.int64)
    if len(inputs) > 2 and inputs[2] is not None:
        wide = wide - spread(inputs[2].astype(np.int64), codes.shape, attributes)
    return [wide.astype(scale.dtype) * spread(scale, codes.shape, attributes)]


def output_type(attributes: dict) -> np.dtype:
    """The type of a QuantizeLinear's integers where it has no zero point."""
    from onnx import TensorProto, helper

    return np.dtype(helper.tensor_dtype_to_np_dtype(attributes.get("output_dtype") or TensorProto.UINT8))


def spread(values: np.ndarray, shape: tuple[int, ...], attributes: dict) -> np.ndarray:
    """Scales or zero points in a shape that broadcasts against data of ``shape``."""
    if values.ndim == 0 or values.size == 1:
        return values.reshape(())
    axis = attributes.get("axis", 1) % len(shape)
    if attributes.get("block_size", 0):
        return np.repeat(values, attributes["block_size"], axis=axis)[tuple(slice(n) for n in shape)]
    return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def quant(inputs: list, attributes: dict) -> list[np.ndarray]:
    """QONNX Quant: data on the grid of its codes. inputs: data, scale, zero point, bit width."""
    data, scale, zero = inputs[0], inputs[1], inputs[2]
    return [((quant_codes(inputs, attributes) - zero) * scale).astype(data.dtype)]


def quant_codes(inputs: list, attributes: dict) -> np.ndarray:
    """The codes of a Quant, as whole numbers in the data's float type: clipped, then rounded, as QONNX does."""
    data, scale, zero, width = inputs
    bounds = quant_range(int(np.asarray(width).reshape(-1)[0]), attributes)
    return ROUNDING[rounding_mode(attributes)](np.clip(data / scale + zero, *bounds))


def quant_range(bits: int, attributes: dict) -> tuple[int, int]:
    """(least, greatest) code of a Quant of ``bits``, 1 to 32. Raises ValueError for others, which files may hold."""
    if not 1 <= bits <= 32:
        raise ValueError(f"codes of {bits:.3g} bits")
    narrow = attributes.get("narrow", 0)
    if attributes.get("signed", 1):
        return -(2 ** (bits - 1)) + (1 if narrow else 0), 2 ** (bits - 1) - 1
    return 0, 2**bits - (2 if narrow else 1)


def rounding_mode(attributes: dict) -> str:
    """The rounding mode's name in capitals."""
    return str(attributes.get("rounding_mode", "ROUND")).upper()
