# SPDX-License-Identifier: Apache-2.0
"""Add, Concat and GlobalAveragePool."""

from __future__ import annotations

from dataclasses import replace

from codesign.graph.ir import Concat
from codesign.onnx.model import Operator, Unsupported
from codesign.onnx.operators.activation import shift_by
from codesign.onnx.quantiser import Quantiser
from codesign.onnx.state import State
from codesign.onnx.values import Codes, Joined, Mean, Pending, Sum, Unknown


def add(state: State, operator: Operator) -> str:
    """Two quantised tensors of one shape, or a bias."""
    if any(name in state.model.constants for name in operator.inputs):
        return shift_by(state, operator)
    first, second = state.codes(operator, 0), state.codes(operator, 1)
    if first.tensor.shape != second.tensor.shape:
        raise Unsupported(f"adds shapes {first.tensor.shape} and {second.tensor.shape}", "add tensors of one shape")
    output = operator.outputs[0]
    state.values[output] = Sum(operator.name, output, (first, second))
    return f"sum of two tensors of {first.tensor.shape[0]} channels"


def mean(state: State, operator: Operator) -> str:
    """GlobalAveragePool."""
    source, output = state.codes(operator), operator.outputs[0]
    state.values[output] = Mean(operator.name, output, source)
    return f"mean of {source.tensor.shape[1]}×{source.tensor.shape[2]}"


def reduce_mean(state: State, operator: Operator) -> str:
    """ReduceMean over height and width, which is a GlobalAveragePool."""
    given = state.constant(operator, 1) if len(operator.inputs) > 1 else operator.attributes.get("axes")
    axes = sorted(int(axis) % 4 for axis in ([] if given is None else given))
    if axes != [2, 3] or len(state.model.shapes.get(operator.inputs[0], ())) != 4:
        raise Unsupported(f"averages axes {axes}", "use GlobalAveragePool: the mean over height and width")
    return mean(state, operator)


def concat(state: State, operator: Operator) -> str:
    """Channels joined; where the inputs' quantisers differ, the quantiser behind it is applied to each of them."""
    rank = len(state.model.shapes.get(operator.inputs[0], ()))
    if operator.attributes.get("axis") not in (1, 1 - rank):
        raise Unsupported(f"joins axis {operator.attributes.get('axis')}", "join channels (axis 1)")
    parts = [state.settled(state.value(operator, index)) for index in range(len(operator.inputs))]
    output = operator.outputs[0]
    codes = [part for part in parts if isinstance(part, Codes)]
    if len(codes) == len(parts) and _one_grid(codes):
        node = Concat(operator.name, tuple(part.tensor.name for part in codes), output)
        lo, hi = min(part.quantiser.lo for part in codes), max(part.quantiser.hi for part in codes)
        joined = state.emit(node, _with_range(codes[0], lo, hi), operator.name)
        state.values[output] = Codes(joined.tensor, joined.quantiser, codes[0].integer)
        return f"{len(parts)} tensors joined"
    if not all(isinstance(part, Codes | Pending | Unknown) for part in parts) or any(part.integer for part in codes):
        raise Unsupported("joins tensors that cannot be quantised alike", "quantise every input before the Concat")
    state.values[output] = Joined(operator.name, output, tuple(parts))
    return f"{len(parts)} tensors joined, each on the quantiser behind"


def _one_grid(codes: list[Codes]) -> bool:
    first = codes[0]
    return all(
        part.quantiser.same_grid(first.tensor.scale, first.tensor.zero_point) and part.integer == first.integer for part in codes
    )


def _with_range(codes: Codes, lo: int, hi: int) -> Quantiser:
    return replace(codes.quantiser, lo=lo, hi=hi)
