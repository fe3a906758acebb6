# SPDX-License-Identifier: Apache-2.0
"""Operators that treat every value by itself."""

from __future__ import annotations

import numpy as np


def add(inputs: list, attributes: dict) -> list[np.ndarray]:
    """A + B, broadcast."""
    return [np.add(inputs[0], inputs[1])]


def sub(inputs: list, attributes: dict) -> list[np.ndarray]:
    """A − B, broadcast."""
    return [np.subtract(inputs[0], inputs[1])]


def mul(inputs: list, attributes: dict) -> list[np.ndarray]:
    """A · B, broadcast."""
    return [np.multiply(inputs[0], inputs[1])]


def div(inputs: list, attributes: dict) -> list[np.ndarray]:
    """A / B, broadcast; integers are divided towards zero."""
    if inputs[0].dtype.kind in "iu":
        return [np.trunc(np.divide(inputs[0], inputs[1])).astype(inputs[0].dtype)]
    return [np.divide(inputs[0], inputs[1])]


def relu(inputs: list, attributes: dict) -> list[np.ndarray]:
    """max(x, 0)."""
    return [np.maximum(inputs[0], inputs[0].dtype.type(0))]


def clip(inputs: list, attributes: dict) -> list[np.ndarray]:
    """min(max(x, least), greatest); the bounds are inputs 1 and 2, None for none."""
    result = inputs[0]
    least, greatest = [*inputs[1:], None, None][:2]
    if least is not None:
        result = np.maximum(result, np.asarray(least, result.dtype))
    if greatest is not None:
        result = np.minimum(result, np.asarray(greatest, result.dtype))
    return [result]


def round_even(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Nearest whole number, halves to even."""
    return [np.rint(inputs[0])]


def batch_normalization(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Inference: per channel (axis 1), with the running mean and variance; one output."""
    data = inputs[0]
    gain, offset = normalisation(inputs[1:], attributes)
    shape = (1, -1, *[1] * (data.ndim - 2))
    return [(data * gain.reshape(shape) + offset.reshape(shape)).astype(data.dtype)]


def normalisation(inputs: list, attributes: dict) -> tuple[np.ndarray, np.ndarray]:
    """(gain, offset) float64 (C,) of a BatchNormalization with inputs scale, bias, mean, variance."""
    scale, bias, mean, variance = (np.asarray(v, np.float64) for v in inputs)
    gain = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return gain, bias - mean * gain


def cast(inputs: list, attributes: dict) -> list[np.ndarray]:
    """To a NumPy type that ONNX names by number."""
    from onnx import helper

    return [inputs[0].astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))]
