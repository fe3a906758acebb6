# SPDX-License-Identifier: Apache-2.0
"""Every operator with a floating-point form, by ONNX's name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from codesign.onnx.reference import convolution, deform, elementwise, layout, pooling, quantisation, resizing

OPERATORS: dict[str, Callable[[list, dict], list[np.ndarray]]] = {
    "Add": elementwise.add,
    "BatchNormalization": elementwise.batch_normalization,
    "Cast": elementwise.cast,
    "Clip": elementwise.clip,
    "Concat": layout.concat,
    "Conv": convolution.conv,
    "DeformConv": deform.deform_conv,
    "DequantizeLinear": quantisation.dequantize_linear,
    "Div": elementwise.div,
    "Dropout": layout.identity,
    "Flatten": layout.flatten,
    "Gather": layout.gather,
    "Gemm": convolution.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "Identity": layout.identity,
    "IntQuant": quantisation.quant,
    "MatMul": convolution.matmul,
    "MaxPool": pooling.max_pool,
    "Mul": elementwise.mul,
    "Quant": quantisation.quant,
    "QuantizeLinear": quantisation.quantize_linear,
    "ReduceMean": pooling.reduce_mean,
    "Relu": elementwise.relu,
    "Reshape": layout.reshape,
    "Resize": resizing.resize,
    "Round": elementwise.round_even,
    "Shape": layout.shape_of,
    "Slice": layout.cut,
    "Split": layout.split,
    "Squeeze": layout.squeeze,
    "Sub": elementwise.sub,
    "Transpose": layout.transpose,
    "Unsqueeze": layout.unsqueeze,
}


def evaluate(kind: str, inputs: list, attributes: dict) -> list[np.ndarray]:
    """The outputs of one operator. Raises KeyError for one without a floating-point form here."""
    return OPERATORS[kind](inputs, attributes)
