# SPDX-License-Identifier: Apache-2.0
"""Operators that move codes: MaxPool, Resize ×2, Split, Slice, shuffles, and those that do nothing to a single map."""

from __future__ import annotations

from dataclasses import replace

from codesign.graph.ir import MaxPool, Node, Shuffle, Upsample
from codesign.graph.ir import Slice as SliceNode
from codesign.onnx.model import Operator, Unsupported
from codesign.onnx.operators.convolution import geometry
from codesign.onnx.reference.layout import slices, split_bounds
from codesign.onnx.reference.resizing import index_maps
from codesign.onnx.state import State
from codesign.onnx.values import Codes, Grouped, Unknown, Value


def max_pool(state: State, operator: Operator) -> str:
    """A square maximum without indices."""
    source = _codes(state, operator)
    kernel = operator.attributes.get("kernel_shape", [])
    if len(kernel) != 2 or kernel[0] != kernel[1]:
        raise Unsupported(f"kernel {kernel}", "use a square two-dimensional kernel")
    if len([name for name in operator.outputs if name]) > 1:
        raise Unsupported("returns indices", "use its first output alone")
    if operator.attributes.get("ceil_mode", 0):
        raise Unsupported("rounds its size up (ceil_mode)", "use ceil_mode = 0")
    stride, pad = geometry(source.tensor.shape[1:], tuple(kernel), operator)
    _moved(state, operator, source, MaxPool(operator.name, (source.tensor.name,), operator.outputs[0], kernel[0], stride, pad))
    return f"{kernel[0]}×{kernel[0]}, stride {stride}"


def resize(state: State, operator: Operator) -> str:
    """Nearest neighbour, twice the height and width; any coordinate mode that comes to y // 2, x // 2."""
    source = _codes(state, operator)
    given = [None, None, *(state.constant(operator, index) for index in (2, 3))]
    try:
        maps = index_maps((1, *source.tensor.shape), given, operator.attributes)
    except (ValueError, TypeError, KeyError, IndexError, ZeroDivisionError, OverflowError, MemoryError) as error:
        raise Unsupported(f"resizes in a way that is not known ({error})", "use mode nearest, factor 2") from None
    wanted = [[0], list(range(source.tensor.shape[0])), *([i // 2 for i in range(2 * n)] for n in source.tensor.shape[1:])]
    if maps != wanted:
        raise Unsupported(f"resizes to {[len(m) for m in maps]}", "use nearest neighbour and factor 2, coordinates asymmetric, floor")
    _moved(state, operator, source, Upsample(operator.name, (source.tensor.name,), operator.outputs[0]))
    return "nearest ×2"


def split(state: State, operator: Operator) -> str:
    """Channel ranges."""
    source = _codes(state, operator)
    if operator.attributes.get("axis", 0) not in (1, -3):
        raise Unsupported(f"splits axis {operator.attributes.get('axis', 0)}", "split channels (axis 1)")
    channels = source.tensor.shape[0]
    bounds = split_bounds(channels, [None, state.constant(operator, 1)], operator.attributes)
    if bounds[-1] != channels or any(a >= b for a, b in zip(bounds, bounds[1:])) or len(bounds) != len(operator.outputs) + 1:
        raise Unsupported(f"splits {channels} channels at {bounds}", "give every part at least one channel")
    for index, output in enumerate(operator.outputs):
        if output:
            name = f"{operator.name}/{index}"
            _moved(state, operator, source, SliceNode(name, (source.tensor.name,), output, *bounds[index : index + 2]), index)
    return f"channels at {bounds}"


def cut(state: State, operator: Operator) -> str:
    """A range of channels."""
    source = _codes(state, operator)
    shape = (1, *source.tensor.shape)[: len(state.model.shapes.get(operator.inputs[0], (0,) * 4))]
    given = [None, *(state.constant(operator, index) for index in range(1, 5))]
    if given[1] is None or given[2] is None:
        raise Unsupported("has no starts or ends", "export the model again")
    try:
        ranges = [part.indices(size) for part, size in zip(slices(shape, given, operator.attributes), shape)]
    except (ValueError, IndexError, TypeError):
        raise Unsupported("slices axes the tensor lacks", "export the model again") from None
    whole = all(found == (0, size, 1) for axis, (found, size) in enumerate(zip(ranges, shape)) if axis != 1)
    start, stop, step = ranges[1]
    if not whole or step != 1 or start >= stop:
        raise Unsupported("slices height or width, or in steps", "slice channels (axis 1) in steps of 1")
    _moved(state, operator, source, SliceNode(operator.name, (source.tensor.name,), operator.outputs[0], start, stop))
    return f"channels {start}..{stop}"


def reshape(state: State, operator: Operator) -> str:
    """Nothing at all, or the first or last step of a channel shuffle."""
    value = state.value(operator)
    shape = state.model.shapes.get(operator.outputs[0])
    if shape is None:
        raise Unsupported("its shape is not known before it runs", "make the shape a constant")
    if isinstance(value, Grouped):
        return _ungroup(state, operator, value, shape)
    if isinstance(value, Unknown):
        state.values[operator.outputs[0]] = Unknown(shape)
        return "follows what is not supported"
    settled = state.settled(value)
    if not isinstance(settled, Codes):
        if _same_map(state, operator, shape):
            state.values[operator.outputs[0]] = value
            return "the same map"
        settled = state.codes(operator)
    channels, height, width = settled.tensor.shape
    if shape in ((1, channels, height, width), (1, channels))[: 2 if height == width == 1 else 1]:
        state.values[operator.outputs[0]] = settled
        return "the same map"
    if len(shape) == 5 and shape[0] == 1 and shape[3:] == (height, width) and shape[1] * shape[2] == channels:
        state.values[operator.outputs[0]] = Grouped(settled, shape[1])
        return f"channels in {shape[1]} groups"
    raise Unsupported(f"reshapes {(1, channels, height, width)} to {shape}", "only channel shuffles and flattened 1×1 maps are supported")


def _same_map(state: State, operator: Operator, shape: tuple[int, ...]) -> bool:
    before = state.model.shapes.get(operator.inputs[0], ())
    strip = [tuple(s for s in sides[1:] if s != 1) for sides in (before, shape)]
    return strip[0] == strip[1] and before[:2] == shape[:2] and len(shape) in (2, 4)


def _ungroup(state: State, operator: Operator, value: Grouped, shape: tuple[int, ...]) -> str:
    source = value.codes
    if shape != (1, *source.tensor.shape):
        raise Unsupported(f"reshapes grouped channels to {shape}", "write a shuffle as Reshape, Transpose, Reshape")
    if not value.swapped:
        state.values[operator.outputs[0]] = source
        return "the same map"
    _moved(state, operator, source, Shuffle(operator.name, (source.tensor.name,), operator.outputs[0], value.groups))
    return f"shuffle of {value.groups} groups"


def transpose(state: State, operator: Operator) -> str:
    """The middle of a channel shuffle."""
    value, perm = state.value(operator), operator.attributes.get("perm")
    if isinstance(value, Grouped) and perm == [0, 2, 1, 3, 4] and not value.swapped:
        state.values[operator.outputs[0]] = replace(value, swapped=True)
        return "shuffle of groups"
    if perm is not None and perm == sorted(perm):
        state.values[operator.outputs[0]] = value
        return "nothing to do"
    raise Unsupported(f"transposes axes by {perm}", "keep the order (1, C, H, W); only channel shuffles are supported")


def identity(state: State, operator: Operator) -> str:
    """The same tensor."""
    if len([name for name in operator.outputs if name]) > 1:
        raise Unsupported("returns a mask", "export the model in evaluation mode")
    state.values[operator.outputs[0]] = state.value(operator)
    return "nothing to do"


def _codes(state: State, operator: Operator) -> Codes:
    """Input 0 as codes; codes the model itself holds as integers will do, since they only move."""
    value: Value = state.settled(state.value(operator))
    return value if isinstance(value, Codes) else state.codes(operator)


def _moved(state: State, operator: Operator, source: Codes, node: Node, index: int = 0) -> None:
    made = state.emit(node, source.quantiser, operator.name)
    state.values[operator.outputs[index]] = replace(made, integer=source.integer)
