# SPDX-License-Identifier: Apache-2.0
"""The graph's grammar: a table of rules, verified after every pass. The first broken one raises UserError."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import (
    Add,
    Concat,
    Conv,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Node,
    Requant,
    Shuffle,
    Slice,
    Tensor,
    Upsample,
)
from codesign.numeric import (
    ACC_BITS,
    BIAS_BITS,
    CODE_MAX,
    CODE_MIN,
    MULTIPLIER_MAX,
    MULTIPLIER_NORMAL,
    SHIFT_MAX,
    SHIFT_MIN,
    WEIGHT_BITS,
    WEIGHT_MAX,
    WEIGHT_MIN,
    accumulator_bounds,
    prove_accumulator,
    prove_scaled,
)

Rule = Callable[[Graph, Node], str]
Shape = tuple[int, int, int]

_INPUTS = {Conv: 1, DeformConv: 2, MaxPool: 1, Upsample: 1, Slice: 1, Shuffle: 1, Add: 2, GlobalAveragePool: 1}
_MOVES = (MaxPool, Upsample, Slice, Concat, Shuffle)
_KERNEL_TAPS_MAX = 49


def check(graph: Graph, acc_bits: int = ACC_BITS) -> None:
    """Raise UserError naming the node, the value and the rule unless ``graph`` obeys every rule of the contract.

    ``acc_bits`` is the accumulator's width that every convolution's final sum must fit.
    """
    _check_frame(graph)
    for node in graph.nodes:
        for rule in RULES:
            problem = rule(graph, node)
            if problem:
                raise UserError(f"layer {node.name!r}: {problem}")
        _prove(graph, node, acc_bits)


def _check_frame(graph: Graph) -> None:
    """Single assignment, definition before use, unique names, outputs that exist, sane tensors."""
    known = {graph.input.name}
    names: set[str] = set()
    for node in graph.nodes:
        if node.name in names:
            raise UserError(f"layer {node.name!r}: the name occurs twice; names must be unique")
        names.add(node.name)
        for source in node.inputs:
            if source not in known:
                raise UserError(f"layer {node.name!r}: reads {source!r}, which no earlier layer writes")
        if node.output in known:
            raise UserError(f"layer {node.name!r}: writes {node.output!r}, which is written already")
        if node.output not in graph.tensors:
            raise UserError(f"layer {node.name!r}: its output {node.output!r} is not among the tensors")
        known.add(node.output)
    extra = set(graph.tensors) - known
    if extra:
        raise UserError(f"tensor {min(extra)!r} is written by no layer")
    for role, name in graph.outputs.items():
        if name not in known:
            raise UserError(f"output {role!r} names {name!r}, which no layer writes")
    if not graph.nodes or not graph.outputs:
        raise UserError("the graph has no layer or no output; nothing could be run")
    for name, tensor in [(graph.input.name, graph.input), *graph.tensors.items()]:
        _check_tensor(name, tensor)


def _check_tensor(name: str, tensor: Tensor) -> None:
    if name != tensor.name:
        raise UserError(f"tensor {name!r} calls itself {tensor.name!r}; both names must be the same")
    if len(tensor.shape) != 3 or any(int(side) < 1 for side in tensor.shape):
        raise UserError(f"tensor {name!r}: shape {tensor.shape} is not (C, H, W) with sides of 1 or more")
    if not (math.isfinite(tensor.scale) and tensor.scale > 0):
        raise UserError(f"tensor {name!r}: scale {tensor.scale} is not a positive number")
    if not CODE_MIN <= tensor.zero_point <= CODE_MAX:
        raise UserError(f"tensor {name!r}: zero point {tensor.zero_point} is not within {CODE_MIN}..{CODE_MAX}")


def _source(graph: Graph, node: Node, index: int = 0) -> Tensor:
    name = node.inputs[index]
    return graph.input if name == graph.input.name else graph.tensors[name]


def _arity(graph: Graph, node: Node) -> str:
    if isinstance(node, Concat):
        return "" if node.inputs else "concatenates nothing"
    wanted = _INPUTS.get(type(node))
    if wanted is None:
        return f"operator {type(node).__name__} is not known"
    return "" if len(node.inputs) == wanted else f"takes {wanted} inputs, has {len(node.inputs)}"


def _weights(graph: Graph, node: Node) -> str:
    if not isinstance(node, Conv | DeformConv):
        return ""
    w, bits = node.weight, node.weight_bits
    if w.ndim != 4 or w.dtype != np.int8 or w.size == 0:
        return f"weight of shape {w.shape}, {w.dtype}; want int8 (Cout, Cin / groups, kh, kw)"
    if bits not in WEIGHT_BITS:
        return f"{bits}-bit weights; pick one of {WEIGHT_BITS}"
    if int(w.min()) < WEIGHT_MIN[bits] or int(w.max()) > WEIGHT_MAX[bits]:
        worst = int(np.argmax(np.abs(w.astype(np.int16)).reshape(w.shape[0], -1).max(axis=1)))
        return f"channel {worst}: weight codes {w.min()}..{w.max()} do not fit {bits} bits"
    if w.shape[2] * w.shape[3] > _KERNEL_TAPS_MAX:
        return f"kernel of {w.shape[2]}x{w.shape[3]} taps; at most {_KERNEL_TAPS_MAX} are supported"
    return ""


def _conv(graph: Graph, node: Node) -> str:
    if not isinstance(node, Conv):
        return ""
    cin = _source(graph, node).shape[0]
    cout, per_group, kh, kw = node.weight.shape
    if node.groups not in (1, cin) or (node.groups != 1 and cin != cout):
        return f"{node.groups} groups with {cin} inputs and {cout} outputs; only full and depthwise are supported"
    if per_group * node.groups != cin:
        return f"weight {node.weight.shape} reads {per_group * node.groups} channels, the input has {cin}"
    if not 0 <= node.pad < max(kh, kw) or node.stride < 1:
        return f"pad {node.pad}, stride {node.stride} with a {kh}x{kw} kernel"
    return ""


def _deform(graph: Graph, node: Node) -> str:
    if not isinstance(node, DeformConv):
        return ""
    data, offsets = _source(graph, node), _source(graph, node, 1)
    channels, per_group, kh, kw = node.weight.shape
    if (channels, per_group) != (data.shape[0], 1) or kh % 2 == 0 or kw % 2 == 0:
        return f"weight {node.weight.shape} is not depthwise with odd sides on {data.shape[0]} channels"
    if node.form not in ("square", "pairs"):
        return f"form {node.form!r}; pick square or pairs"
    if not 1 <= node.bound <= CODE_MAX:
        return f"bound {node.bound} is not within 1..{CODE_MAX}"
    wanted = (1 if node.form == "square" else 2 * kh * kw, *data.shape[1:])
    if tuple(offsets.shape) != wanted:
        return f"offsets of shape {offsets.shape}; form {node.form} wants {wanted}"
    if (offsets.scale, offsets.zero_point) != (1.0, 0):
        return f"offsets with scale {offsets.scale}, zero point {offsets.zero_point}; want integers (1, 0)"
    maker = next((n for n in graph.nodes if n.output == node.inputs[1]), None)
    low = 0 if node.form == "square" else -node.bound
    if not isinstance(maker, Conv) or maker.requant.lo < low or maker.requant.hi > node.bound:
        return f"offsets are not proven within {low}..{node.bound}; clamp them in the convolution that makes them"
    return ""


def output_shape(node: Node, shapes: list[Shape]) -> Shape:
    """(C, H, W) that ``node`` writes for inputs of ``shapes``."""
    c, h, w = shapes[0]
    match node:
        case Conv():
            cout, _, kh, kw = node.weight.shape
            rows, cols = (h + 2 * node.pad - kh) // node.stride + 1, (w + 2 * node.pad - kw) // node.stride + 1
            return cout, rows, cols
        case MaxPool():
            k, s, p = node.kernel, node.stride, node.pad
            return c, (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        case Upsample():
            return c, 2 * h, 2 * w
        case Slice():
            return node.stop - node.start, h, w
        case Concat():
            return sum(s[0] for s in shapes), h, w
        case GlobalAveragePool():
            return c, 1, 1
    return c, h, w


def _shape(graph: Graph, node: Node) -> str:
    shapes = [_source(graph, node, i).shape for i in range(len(node.inputs))]
    c = shapes[0][0]
    if isinstance(node, Slice) and not 0 <= node.start < node.stop <= c:
        return f"channels {node.start}..{node.stop} of a tensor of {c}"
    if isinstance(node, Shuffle) and (node.groups < 1 or c % node.groups):
        return f"{node.groups} shuffle groups do not divide {c} channels"
    if isinstance(node, MaxPool) and not (node.kernel >= 1 and node.stride >= 1 and 0 <= node.pad < node.kernel):
        return f"kernel {node.kernel}, stride {node.stride}, pad {node.pad}"
    if isinstance(node, Concat) and any(s[1:] != shapes[0][1:] for s in shapes):
        return f"concatenates maps of different sizes {shapes}"
    if isinstance(node, Add) and shapes[0] != shapes[1]:
        return f"adds shapes {shapes[0]} and {shapes[1]}"
    want = output_shape(node, shapes)
    have = tuple(graph.tensors[node.output].shape)
    return "" if have == want else f"output has shape {have}, the operator makes {want}"


def _moved(graph: Graph, node: Node) -> str:
    if not isinstance(node, _MOVES):
        return ""
    out = graph.tensors[node.output]
    for index in range(len(node.inputs)):
        tensor = _source(graph, node, index)
        if (tensor.scale, tensor.zero_point) != (out.scale, out.zero_point):
            return (
                f"{tensor.name!r} has scale {tensor.scale:g}, zero point {tensor.zero_point}, the output "
                f"{out.scale:g}, {out.zero_point}; tensors joined or moved share one quantiser"
            )
    return ""


def _requant(graph: Graph, node: Node) -> str:
    if isinstance(node, Add):
        return _add(graph, node)
    if not isinstance(node, Conv | DeformConv | GlobalAveragePool):
        return ""
    r: Requant = node.requant
    channels, zero = graph.tensors[node.output].shape[0], graph.tensors[node.output].zero_point
    for field, low, high in (
        (r.multiplier, 0, MULTIPLIER_MAX),
        (r.shift, SHIFT_MIN, SHIFT_MAX),
        (r.bias, -(2 ** (BIAS_BITS - 1)), 2 ** (BIAS_BITS - 1) - 1),
    ):
        if field.shape != (channels,) or field.dtype != np.int64:
            return f"requantisation arrays of shape {field.shape}, {field.dtype}; want int64 ({channels},)"
        bad = np.flatnonzero((field < low) | (field > high))
        if bad.size:
            return f"channel {bad[0]}: requantisation value {field[bad[0]]} is not within {low}..{high}"
    loose = np.flatnonzero((r.multiplier < MULTIPLIER_NORMAL) & (r.shift != SHIFT_MAX))
    if loose.size:
        c = loose[0]
        return f"channel {c}: multiplier {r.multiplier[c]} with shift {r.shift[c]} is not normalised"
    return _clamp(r.lo, r.hi, r.zero_point, zero)


def _add(graph: Graph, node: Add) -> str:
    if any(not 0 <= m <= MULTIPLIER_MAX for m in node.multipliers) or not SHIFT_MIN <= node.shift <= SHIFT_MAX:
        return f"multipliers {node.multipliers} or shift {node.shift} out of range"
    if max(node.multipliers) < MULTIPLIER_NORMAL and node.shift != SHIFT_MAX:
        return f"multipliers {node.multipliers} with shift {node.shift} are not normalised"
    return _clamp(node.lo, node.hi, node.zero_point, graph.tensors[node.output].zero_point)


def _clamp(lo: int, hi: int, zero: int, tensor_zero: int) -> str:
    if not CODE_MIN <= lo <= hi <= CODE_MAX:
        return f"clamp {lo}..{hi} is not an interval of int8 codes"
    return "" if zero == tensor_zero else f"zero point {zero} differs from the output tensor's {tensor_zero}"


def _prove(graph: Graph, node: Node, acc_bits: int) -> None:
    if isinstance(node, Conv | DeformConv):
        least, greatest = accumulator_bounds(node.weight)
    elif isinstance(node, GlobalAveragePool):
        c, h, w = _source(graph, node).shape
        least, greatest = np.full(c, CODE_MIN * h * w), np.full(c, CODE_MAX * h * w)
    else:
        return
    prove_accumulator(node.name, least, greatest, acc_bits)
    prove_scaled(node.name, least, greatest, node.requant.multiplier, node.requant.bias)


RULES: tuple[Rule, ...] = (_arity, _weights, _conv, _deform, _shape, _moved, _requant)
