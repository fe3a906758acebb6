# SPDX-License-Identifier: Apache-2.0
"""BatchNormalization, Relu, Clip, Round and arithmetic with constants: they change the sum before it is quantised."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from codesign.onnx.model import Operator, Unsupported
from codesign.onnx.reference.elementwise import normalisation
from codesign.onnx.state import State, identity
from codesign.onnx.values import Codes, Grown, Mean, Product, SquareOffsets, Sum, Value


def batch_normalization(state: State, operator: Operator) -> str:
    """Folded into the convolution before it; behind a quantiser a depthwise 1×1 of its own."""
    if operator.attributes.get("training_mode", 0):
        raise Unsupported("is in training mode", "export the model in evaluation mode")
    product = _product(state, operator)
    parameters = [state.constant(operator, index) for index in range(1, 5)]
    if any(values is None or np.size(values) != product.shape[0] for values in parameters):
        raise Unsupported("does not have one value per channel", "export the model again")
    gain, offset = normalisation([np.reshape(values, -1) for values in parameters], operator.attributes)
    return _affine(state, operator, product, gain, offset)


def relu(state: State, operator: Operator) -> str:
    """The clamp's lower end."""
    return _clamp(state, operator, 0.0, math.inf)


def clip(state: State, operator: Operator) -> str:
    """The clamp's ends."""
    ends = []
    for index, default in ((1, -math.inf), (2, math.inf)):
        found = state.constant(operator, index)
        ends.append(default if found is None or np.size(found) == 0 else float(np.reshape(found, -1)[0]))
    if not ends[0] <= ends[1]:
        raise Unsupported(f"clips to {ends[0]:g}..{ends[1]:g}", "give it a range that is not empty")
    return _clamp(state, operator, *ends)


def _clamp(state: State, operator: Operator, least: float, greatest: float) -> str:
    value = pending(state, operator)
    if not isinstance(value, Product | Sum | Mean):
        raise Unsupported("clamps a concatenation before its quantiser", "quantise the concatenation, or clamp its inputs")
    limits = value.limits.clipped(least, greatest)
    state.values[operator.outputs[0]] = replace(value, limits=limits, output=operator.outputs[0])
    return f"clamp of {value.node}" if value.node != operator.name else "depthwise 1×1, where it clamps anything"


def round_even(state: State, operator: Operator) -> str:
    """To whole numbers: offsets, whose range a Clip then limits."""
    product = _product(state, operator)
    if not product.limits.free:
        ends = product.limits
        if any(math.isfinite(end) and end != round(end) for end in (ends.least, ends.greatest)):
            raise Unsupported("rounds what is clipped between whole numbers", "clip to whole numbers, behind the Round")
    state.values[operator.outputs[0]] = replace(product, whole=True, output=operator.outputs[0])
    return "whole numbers"


def scale_by(state: State, operator: Operator) -> str:
    """Mul or Div by a constant per channel, or the growth of square offsets."""
    index, factor = _constant_side(state, operator)
    value = state.value(operator, index)
    if isinstance(value, Grown) and operator.kind == "Mul":
        return _square_offsets(state, operator, value, factor)
    product = _product(state, operator, index)
    gain = _per_channel(factor, product)
    if operator.kind == "Div":
        if index == 1 or (gain == 0).any():
            raise Unsupported("divides by what is computed, or by 0", "multiply by a constant")
        gain = 1.0 / gain
    return _affine(state, operator, product, gain, np.zeros_like(gain))


def shift_by(state: State, operator: Operator, sign: float = 1.0) -> str:
    """Add or Sub of a constant per channel."""
    index, term = _constant_side(state, operator)
    if operator.kind == "Sub":
        value = state.settled(state.value(operator, index))
        if isinstance(value, Codes) and _are_distances(value) and index == 0 and np.all(term == 1) and np.size(term) == 1:
            state.values[operator.inputs[0]] = value
            state.values[operator.outputs[0]] = Grown(value)
            return "distances less one"
    product = _product(state, operator, index)
    offset = _per_channel(term, product)
    gain = np.ones_like(offset)
    if operator.kind == "Sub":
        gain, offset = (gain, -offset) if index == 0 else (-gain, offset)
    return _affine(state, operator, product, gain, offset)


def pending(state: State, operator: Operator, index: int = 0) -> Value:
    """Input ``index`` as a value that can still be clamped: what is quantised becomes a depthwise 1×1."""
    value = state.value(operator, index)
    if isinstance(value, Product | Sum | Mean):
        return value
    if not isinstance(value, Codes):
        value = state.codes(operator, index)
    if value.integer:
        raise Unsupported(f"works on the integers {operator.inputs[index]!r}", "put a DequantizeLinear before it")
    return identity(operator.name, operator.outputs[0], value)


def _product(state: State, operator: Operator, index: int = 0) -> Product:
    value = pending(state, operator, index)
    if not isinstance(value, Product):
        raise Unsupported(f"follows {type(value).__name__.lower()} without a quantiser", "quantise the tensor between them")
    return value


def _affine(state: State, operator: Operator, product: Product, gain: np.ndarray, offset: np.ndarray) -> str:
    if not product.limits.free or product.whole:
        raise Unsupported("follows a clamp without a quantiser", "quantise the tensor between them, or move the clamp behind")
    if not (np.isfinite(gain).all() and np.isfinite(offset).all()):
        raise Unsupported("has values that are not finite", "train or export the model again")
    folded = product.affine(gain, offset)
    state.values[operator.outputs[0]] = replace(folded, output=operator.outputs[0])
    return f"folded into {product.node}" if product.node != operator.name else "depthwise 1×1 of its own"


def _constant_side(state: State, operator: Operator) -> tuple[int, np.ndarray]:
    """(index of the computed input, the constant)."""
    for index in (0, 1):
        other = state.model.constants.get(operator.inputs[1 - index])
        if other is not None:
            return index, np.asarray(other, np.float64)
    raise Unsupported("combines two computed tensors", "only Add takes two computed tensors")


def _per_channel(values: np.ndarray, product: Product) -> np.ndarray:
    """float64 (C,) of a constant that broadcasts over height and width."""
    channels = product.shape[0]
    wide = values.reshape((1,) * max(0, 4 - values.ndim) + values.shape)
    dense = product.shape[1:] == (1, 1) and values.ndim <= 2 and wide.shape[-1] in (1, channels) and wide.size == wide.shape[-1]
    if dense or (wide.ndim == 4 and wide.shape[1] in (1, channels) and wide.size == wide.shape[1]):
        return np.broadcast_to(wide.reshape(-1), (channels,)).astype(np.float64)
    raise Unsupported(f"a constant of shape {values.shape}", "use one value, or one per channel (C, 1, 1)")


def _are_distances(codes: Codes) -> bool:
    return codes.tensor.shape[0] == 1 and (codes.tensor.scale, codes.tensor.zero_point) == (1.0, 0) and not codes.integer


def _square_offsets(state: State, operator: Operator, grown: Grown, factor: np.ndarray) -> str:
    side = math.isqrt(factor.size // 2)
    grid = [(y - side // 2, x - side // 2) for y in range(side) for x in range(side)]
    if side % 2 == 0 or factor.shape != (1, 2 * side * side, 1, 1) or (factor.reshape(-1, 2) != grid).any():
        raise Unsupported("scales distances by other than the taps' places", "write square offsets as docs/onnx.md shows")
    state.values[operator.outputs[0]] = SquareOffsets(grown.codes, (side, side))
    return "square offsets"
