# SPDX-License-Identifier: Apache-2.0
"""ONNX operator -> the function that lowers it; and what to do about operators that have none."""

from __future__ import annotations

from collections.abc import Callable

from codesign.onnx.model import Operator
from codesign.onnx.operators import activation, combining, convolution, moving, quantisers
from codesign.onnx.state import State

#: each takes the state and the operator, sets the values of its outputs, and returns a few words for the listing
TABLE: dict[str, Callable[[State, Operator], str]] = {
    "Add": combining.add,
    "BatchNormalization": activation.batch_normalization,
    "Clip": activation.clip,
    "Concat": combining.concat,
    "Conv": convolution.conv,
    "DeformConv": convolution.deform_conv,
    "DequantizeLinear": quantisers.dequantize_linear,
    "Div": activation.scale_by,
    "Dropout": moving.identity,
    "Flatten": moving.reshape,
    "Gemm": convolution.gemm,
    "GlobalAveragePool": combining.mean,
    "Identity": moving.identity,
    "IntQuant": quantisers.quant,
    "MatMul": convolution.matmul,
    "MaxPool": moving.max_pool,
    "Mul": activation.scale_by,
    "Quant": quantisers.quant,
    "QuantizeLinear": quantisers.quantize_linear,
    "ReduceMean": combining.reduce_mean,
    "Relu": activation.relu,
    "Reshape": moving.reshape,
    "Resize": moving.resize,
    "Round": activation.round_even,
    "Slice": moving.cut,
    "Split": moving.split,
    "Squeeze": moving.reshape,
    "Sub": activation.shift_by,
    "Transpose": moving.transpose,
    "Unsqueeze": moving.reshape,
}

_ON_HOST = "end the model before it and compute it on the host"
_RELU = "train with Relu or Clip instead"
_QDQ = "export with QuantizeLinear / DequantizeLinear around float operators (QDQ)"
_NORM = "train with BatchNormalization, which is folded"
_STATIC = "export the model traced, with fixed shapes"

REWRITES: dict[str, str] = {
    "AveragePool": "use GlobalAveragePool, or a depthwise Conv with equal weights",
    "BipolarQuant": "use Quant with 2 or more bits",
    "ConvInteger": _QDQ,
    "ConvTranspose": "use Resize nearest ×2, then Conv",
    "DynamicQuantizeLinear": "quantise statically, with calibration data",
    "Elu": _RELU,
    "FloatQuant": "use integer quantisers (Quant)",
    "Gelu": _RELU,
    "HardSigmoid": _RELU,
    "HardSwish": _RELU,
    "If": _STATIC,
    "InstanceNormalization": _NORM,
    "LayerNormalization": _NORM,
    "LeakyRelu": _RELU,
    "Loop": _STATIC,
    "MatMulInteger": _QDQ,
    "Pad": "give the pads to the Conv or MaxPool behind it",
    "PRelu": _RELU,
    "QLinearConv": _QDQ,
    "QLinearMatMul": _QDQ,
    "Scan": _STATIC,
    "Sigmoid": _ON_HOST,
    "Softmax": _ON_HOST,
    "Tanh": _ON_HOST,
    "Trunc": "use Quant with rounding mode ROUND",
    "Upsample": "use Resize (onnx.version_converter.convert_version)",
}
ANY_OTHER = "replace it by supported operators (docs/onnx.md), or end the model before it"
