# SPDX-License-Identifier: Apache-2.0
"""Conv, DeformConv, Gemm and MatMul: products that wait for their quantiser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codesign.onnx.model import ConstantCodes, Operator, Unsupported
from codesign.onnx.reference.windows import pads
from codesign.onnx.state import State
from codesign.onnx.values import Codes, Product, SquareOffsets

_TAPS = 49
_STRIDES = (1, 2, 4)
_AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def conv(state: State, operator: Operator) -> str:
    """Full or depthwise convolution."""
    source = state.codes(operator)
    weight, scale = weights(state, operator, rank=4)
    channels, outputs, kernel = source.tensor.shape[0], weight.shape[0], weight.shape[2:]
    groups = operator.attributes.get("group", 1)
    if groups not in (1, channels) or (groups > 1 and outputs != channels):
        raise Unsupported(
            f"{groups} groups with {channels} inputs and {outputs} outputs", "use groups = 1, or depthwise (groups = inputs = outputs)"
        )  # fmt: skip
    if weight.shape[1] * groups != channels:
        raise Unsupported(f"weights of {weight.shape[1]}·{groups} channels on {channels}", "export the model again")
    stride, pad = geometry(source.tensor.shape[1:], kernel, operator)
    shape = (outputs, *((side + 2 * pad - k) // stride + 1 for side, k in zip(source.tensor.shape[1:], kernel)))
    offset = bias(state, operator, 2, outputs)
    output = operator.outputs[0]
    state.values[output] = Product(
        operator.name, output, source, weight, scale, offset, shape, stride, pad, groups  # type: ignore[arg-type]
    )  # fmt: skip
    return f"{'depthwise' if groups > 1 else 'full'} {kernel[0]}×{kernel[1]}, stride {stride}, {channels} to {outputs} channels"


def deform_conv(state: State, operator: Operator) -> str:
    """Depthwise deformable convolution whose offsets are whole numbers within a limited range."""
    source, offsets, form = state.codes(operator), *_offsets(state, operator)
    weight, scale = weights(state, operator, rank=4)
    channels, kernel = source.tensor.shape[0], weight.shape[2:]
    if len(operator.inputs) > 4 and operator.inputs[4]:
        raise Unsupported("has a mask (modulated taps)", "train without a mask (DCNv1)")
    if (operator.attributes.get("group", 1), weight.shape[0], weight.shape[1]) != (channels, channels, 1):
        raise Unsupported("is not depthwise", "use a depthwise DeformConv, then a 1×1 Conv")
    if operator.attributes.get("offset_group", 1) != 1:
        raise Unsupported("has several offset groups", "let all channels share their offsets (offset_group = 1)")
    stride, pad = geometry(source.tensor.shape[1:], kernel, operator)
    if stride != 1 or not kernel[0] == kernel[1] == 2 * pad + 1:
        raise Unsupported(f"{kernel[0]}×{kernel[1]}, stride {stride}, pad {pad}", "use an odd square kernel, stride 1, pad = kernel // 2")
    wanted = 1 if form == "square" else 2 * kernel[0] * kernel[1]
    if offsets.tensor.shape != (wanted, *source.tensor.shape[1:]):
        raise Unsupported(f"offsets of shape {offsets.tensor.shape}", "export the model again")
    output = operator.outputs[0]
    product = Product(
        operator.name, output, source, weight, scale, bias(state, operator, 3, channels), source.tensor.shape, pad=pad, groups=channels
    )  # fmt: skip
    state.values[output] = replace(product, offsets=offsets, form=form)
    return f"deformable {kernel[0]}×{kernel[1]}, {form}, offsets {offsets.quantiser.lo}..{offsets.quantiser.hi}"


def _offsets(state: State, operator: Operator) -> tuple[Codes, str]:
    found = state.value(operator, 2)
    if isinstance(found, SquareOffsets):
        return found.codes, "square"
    try:
        offsets = state.codes(operator, 2)
    except Unsupported:
        raise Unsupported(
            "its offsets are not whole numbers of a limited range",
            "round and clip them (Round, then Clip to -7..7; or a quantiser with scale 1, zero point 0)",
        ) from None
    if (offsets.tensor.scale, offsets.tensor.zero_point) != (1.0, 0):
        grid = f"scale {offsets.tensor.scale:g}, zero point {offsets.tensor.zero_point}"
        raise Unsupported(f"its offsets have {grid}: taps between pixels", "quantise offsets with scale 1, zero point 0")
    return offsets, "pairs"


def gemm(state: State, operator: Operator) -> str:
    """A fully connected layer on a 1×1 map, as a 1×1 convolution."""
    attributes = operator.attributes
    if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0 or attributes.get("transA", 0):
        raise Unsupported("alpha, beta or transA is set", "fold them into the weights")
    return _dense(state, operator, transposed=bool(attributes.get("transB", 0)))


def matmul(state: State, operator: Operator) -> str:
    """A fully connected layer without a bias."""
    return _dense(state, operator, transposed=False)


def _dense(state: State, operator: Operator, transposed: bool) -> str:
    source = state.codes(operator)
    channels, height, width = source.tensor.shape
    if (height, width) != (1, 1):
        raise Unsupported(f"fully connected on a {height}×{width} map", "put a GlobalAveragePool before it, or use Conv")
    matrix, scale = weights(state, operator, rank=2, axis=0 if transposed else 1)
    matrix = matrix if transposed else matrix.T
    if matrix.shape[1] != channels:
        raise Unsupported(f"weights of {matrix.shape[1]} inputs on {channels}", "export the model again")
    outputs, output = matrix.shape[0], operator.outputs[0]
    state.values[output] = Product(
        operator.name, output, source, matrix[:, :, None, None], scale, bias(state, operator, 2, outputs), (outputs, 1, 1)
    )
    return f"1×1 on a 1×1 map, {channels} to {outputs} channels"


def weights(state: State, operator: Operator, rank: int, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(codes less their zero point, scale per output channel) of input 1; ``axis`` counts the output channels."""
    name = operator.inputs[1]
    found: ConstantCodes | None = state.model.codes.get(name)
    if found is None:
        if name in state.model.constants and not np.isfinite(state.model.constants[name]).all():
            raise Unsupported("its weights, or their scales, are not finite numbers", "train or export the model again")
        if name in state.model.constants:
            raise Unsupported("its weights are not quantised", "put a Quant, or QuantizeLinear and back, on the weights")
        raise Unsupported("its weights are computed at run time", "make them a constant behind a quantiser")
    if found.codes.size == 0:
        raise Unsupported(f"weights of shape {found.codes.shape}: there are none", "give it at least one output channel")
    if found.codes.ndim != rank:
        raise Unsupported(f"weights of shape {found.codes.shape}", "use two-dimensional convolutions")
    try:
        scale = np.broadcast_to(found.scale, found.codes.shape)
        zero = np.broadcast_to(found.zero, found.codes.shape)
    except ValueError:
        raise Unsupported("scales do not fit the weights", "use one scale per tensor or per output channel") from None
    rows = np.moveaxis(scale, axis, 0).reshape(found.codes.shape[axis], -1)
    if (rows != rows[:, :1]).any():
        raise Unsupported("scales differ within an output channel", "use one scale per tensor or per output channel")
    if not (rows > 0).all():
        raise Unsupported("a weight scale is 0 or negative", "quantise the weights again")
    return found.codes - zero, rows[:, 0].astype(np.float64)


def bias(state: State, operator: Operator, index: int, outputs: int) -> np.ndarray:
    """float64 (outputs,): the bias input, or zeros."""
    found = state.constant(operator, index)
    if found is None:
        return np.zeros(outputs)
    flat = np.asarray(found, np.float64).reshape(-1)
    if flat.size not in (1, outputs):
        raise Unsupported(f"a bias of shape {found.shape}", "use one value per output channel")
    return np.broadcast_to(flat, (outputs,)).copy()


def geometry(sizes: tuple[int, ...], kernel: tuple[int, ...], operator: Operator) -> tuple[int, int]:
    """(stride, pad) shared by both axes and all four sides. Raises `Unsupported`."""
    strides, said = operator.attributes.get("strides", [1, 1]), operator.attributes.get("kernel_shape", kernel)
    if tuple(said) != tuple(kernel):
        raise Unsupported(f"kernel_shape {list(said)} with weights of {kernel[0]}×{kernel[1]}", "export the model again")
    if operator.attributes.get("auto_pad", "NOTSET") not in _AUTO_PADS:
        raise Unsupported(f"auto_pad {operator.attributes['auto_pad'][:30]!r}", f"use one of {', '.join(_AUTO_PADS)}")
    begin, end = pads(sizes, kernel, operator.attributes)
    if any(d != 1 for d in operator.attributes.get("dilations", [1, 1])):
        raise Unsupported(f"dilations {operator.attributes['dilations']}", "use dilation 1")
    if len(strides) != 2 or strides[0] != strides[1] or strides[0] not in _STRIDES:
        raise Unsupported(f"strides {strides}", "use the same stride, 1, 2 or 4, for both axes")
    if len(set(begin + end)) != 1:
        raise Unsupported(f"pads {list(begin + end)}", "use the same pad on all four sides")
    pad = begin[0]
    if not 0 <= pad < max(kernel):
        raise Unsupported(f"pad {pad} with a {kernel[0]}×{kernel[1]} kernel", "use a pad smaller than the kernel")
    if kernel[0] * kernel[1] > _TAPS:
        raise Unsupported(f"kernel of {kernel[0]}×{kernel[1]}", f"use at most {_TAPS} taps, 7×7")
    if any(side + 2 * pad < k for side, k in zip(sizes, kernel)):
        raise Unsupported(f"kernel of {kernel[0]}×{kernel[1]} on a map of {sizes[0]}×{sizes[1]}", "use a larger input")
    return strides[0], pad
