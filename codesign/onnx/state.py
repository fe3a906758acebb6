# SPDX-License-Identifier: Apache-2.0
"""The graph while it is lowered: which value each ONNX tensor has, and the nodes made so far."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Add as AddNode
from codesign.graph.ir import Concat, Conv, DeformConv, GlobalAveragePool, Node, Requant, Tensor
from codesign.graph.rules import output_shape
from codesign.numeric import CODE_MAX, CODE_MIN, WEIGHT_MAX, WEIGHT_MIN, add_parameters, requant_parameters
from codesign.onnx.model import Model, Operator, Unsupported
from codesign.onnx.quantiser import Quantiser
from codesign.onnx.values import Codes, Joined, Limits, Mean, Pending, Product, Raw, Sum, Unknown, Value

_LARGEST_SIDE = 1 << 16
_INTEGERS = Quantiser(1.0, 0)  #: of tensors that hold whole numbers


class State:
    """``values`` by ONNX tensor name; ``nodes`` and ``tensors`` of the integer graph; ``input`` once it is quantised.

    ``origin`` gives the ONNX operator each node of the graph came from.
    """

    def __init__(self, model: Model):
        self.model = model
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.input: Tensor | None = None
        self.origin: dict[str, str] = {}
        self._finished: dict[str, tuple[Pending, Quantiser, Codes]] = {}
        self._input_codes: Codes | None = None

    @property
    def input_range(self) -> tuple[int, int]:
        """(least, greatest) code of the input's quantiser."""
        assert self._input_codes is not None
        return self._input_codes.quantiser.lo, self._input_codes.quantiser.hi

    # -- reading ------------------------------------------------------------------------------------------------------

    def constant(self, operator: Operator, index: int) -> np.ndarray | None:
        """Input ``index`` as a constant; None where it is left out. Raises `Unsupported` if it is computed."""
        if index >= len(operator.inputs) or not operator.inputs[index]:
            return None
        found = self.model.constants.get(operator.inputs[index])
        if found is None:
            raise Unsupported(f"input {operator.inputs[index]!r} is computed at run time", "make it a constant")
        return found

    def value(self, operator: Operator, index: int = 0) -> Value:
        """Input ``index``, a tensor that is computed."""
        name = operator.inputs[index] if index < len(operator.inputs) else ""
        if name in self.values:
            return self.values[name]
        what = "is a constant" if name in self.model.constants else "is missing"
        raise Unsupported(f"input {index} ({name!r}) {what}", "only constants of weights, biases and settings are supported")

    def codes(self, operator: Operator, index: int = 0) -> Codes:
        """Input ``index`` as real values with a quantiser."""
        found = self.settled(self.value(operator, index))
        if isinstance(found, Codes) and not found.integer:
            return found
        name = operator.inputs[index]
        if isinstance(found, Unknown) and found.shape is not None:
            return self.placeholder(found.shape, _INTEGERS, name)
        if isinstance(found, Codes):
            raise Unsupported(f"reads the integers {name!r}", "put a DequantizeLinear before it")
        raise Unsupported(f"reads {name!r}, which has no quantiser", f"quantise {name!r} (Quant, or QuantizeLinear and back)")

    def settled(self, value: Value) -> Value:
        """``value`` as codes where no further quantiser is needed: clamped codes, whole numbers within int8."""
        if isinstance(value, Product) and value.identity:
            return self.finish(value, replace(value.source.quantiser, lo=CODE_MIN, hi=CODE_MAX), value.output)
        if isinstance(value, Product) and value.whole and _whole_within(value.limits):
            return self.finish(value, _INTEGERS, value.output)
        return value

    # -- writing ------------------------------------------------------------------------------------------------------

    def emit(self, node: Node, quantiser: Quantiser, origin: str) -> Codes:
        """Append a node whose output has ``quantiser``'s codes; ``origin`` is the ONNX operator it stands for."""
        shapes = [self.tensors[name].shape for name in node.inputs]
        shape = output_shape(node, shapes)
        if min(shape) < 1 or max(shape) > _LARGEST_SIDE:
            raise Unsupported(f"output of shape {shape}", f"sides must be 1 to {_LARGEST_SIDE}")
        tensor = Tensor(node.output, shape, quantiser.scale, quantiser.zero_point)
        self.nodes.append(node)
        self.tensors[node.output] = tensor
        self.origin[node.name] = origin
        return Codes(tensor, quantiser)

    def quantise(self, value: Value, quantiser: Quantiser, output: str, node: str) -> Codes:
        """``value`` in the codes of ``quantiser``; as tensor ``output``, by a node named ``node``, if codes are requantised."""
        if isinstance(value, Codes):
            return self.requantise(value, quantiser, output, node)
        if isinstance(value, Raw):
            return self._quantise_input(value, quantiser, output)
        if isinstance(value, Unknown) and value.shape is not None:
            return self.placeholder(value.shape, quantiser, output)
        if isinstance(value, Pending):
            return self.finish(value, quantiser, output)
        if isinstance(value, Unknown):
            raise Unsupported("has an input of unknown shape", "export the model with fixed shapes")
        raise Unsupported("quantises half a pattern (a shuffle or square offsets)", "write the pattern as docs/onnx.md shows")

    def requantise(self, codes: Codes, quantiser: Quantiser, output: str, node: str) -> Codes:
        """Codes on another grid; the same tensor where grid and range are the same."""
        return self.finish(identity(node, output, codes), quantiser, output)

    def finish(self, pending: Pending, quantiser: Quantiser, output: str) -> Codes:
        """The nodes of a pending value, its output in the codes of ``quantiser``; those made already if it is asked again."""
        known = self._finished.get(pending.node)
        if known is not None:
            if known[0] is pending and known[1] == quantiser:
                return known[2]
            raise Unsupported(
                f"{pending.output!r} is read more than once before it is quantised",
                "quantise it once, directly behind the operator", pending.node,
            )  # fmt: skip
        try:
            made = _FINISH[type(pending)](self, pending, quantiser, output)
        except UserError as error:
            rule, _, remedy = str(error).rpartition("; ")
            raise Unsupported(rule, remedy, pending.node) from None
        except Unsupported as problem:
            raise Unsupported(problem.rule, problem.remedy, problem.blamed or pending.node) from None
        self._finished[pending.node] = pending, quantiser, made
        return made

    def placeholder(self, shape: tuple[int, ...], quantiser: Quantiser, output: str) -> Codes:
        """A tensor that nothing computes, so that what follows an operator that cannot be imported is still judged."""
        tensor = Tensor(output, planar(shape), quantiser.scale, quantiser.zero_point)
        self.tensors[output] = tensor
        return Codes(tensor, quantiser)

    def _quantise_input(self, raw: Raw, quantiser: Quantiser, output: str) -> Codes:
        if self._input_codes is not None:
            if self._input_codes.quantiser != quantiser:
                raise Unsupported("the network's input is quantised in two ways", "quantise it once")
            return self._input_codes
        self.input = Tensor(output, planar(raw.shape), quantiser.scale, quantiser.zero_point)
        self.tensors[output] = self.input
        self._input_codes = Codes(self.input, quantiser)
        return self._input_codes


def planar(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) of an ONNX shape (1, C, H, W), or (1, C) as a 1×1 map. Raises `Unsupported`."""
    if len(shape) not in (2, 4) or shape[0] != 1 or min(shape) < 1:
        raise Unsupported(f"tensor of shape {shape}", "use (1, C, H, W) or (1, C): one image, two dimensions")
    if max(shape) > _LARGEST_SIDE:
        raise Unsupported(f"tensor of shape {shape}", f"sides must be 1 to {_LARGEST_SIDE}")
    return (shape[1], *(shape[2:] or (1, 1)))  # type: ignore[return-value]


def identity(node: str, output: str, codes: Codes) -> Product:
    """``codes`` as a depthwise 1×1 convolution with weights 1: exact, and free to be clamped, scaled or requantised."""
    channels = codes.tensor.shape[0]
    ones = np.ones((channels, 1, 1, 1), np.int64)
    return Product(
        node, output, codes, ones, np.ones(channels), np.zeros(channels), codes.tensor.shape, groups=channels, identity=True
    )


def _whole_within(limits: Limits) -> bool:
    return CODE_MIN <= math.ceil(max(limits.least, -1e9)) <= math.floor(min(limits.greatest, 1e9)) <= CODE_MAX


def _ends(limits: Limits, quantiser: Quantiser) -> tuple[int, int]:
    return quantiser.code(limits.least), quantiser.code(limits.greatest)


def _finish_product(state: State, product: Product, quantiser: Quantiser, output: str) -> Codes:
    """A convolution: weight codes in as few bits as hold them, constants by `codesign.numeric`. The source itself where all
    its codes pass as they are."""
    lo, hi = _ends(product.limits, quantiser)
    have = product.source.quantiser
    same = quantiser.same_grid(have.scale, have.zero_point)
    if product.identity and same and not product.whole and lo <= have.lo and have.hi <= hi:
        return replace(product.source, quantiser=replace(have, shift=quantiser.shift))
    weight, bits = narrowest(product.weight)
    source = product.source.tensor
    m, s, b = requant_parameters(
        weight, source.scale, product.scale, quantiser.scale, source.zero_point, product.bias, product.node
    )
    requant = Requant(m, s, b, quantiser.zero_point, lo, hi)
    node: Node
    if product.offsets is not None:
        bound = deform_bound(product.offsets, product.form)
        inputs = (source.name, product.offsets.tensor.name)
        node = DeformConv(product.node, inputs, output, weight, bits, requant, product.form, bound)
    else:
        layout = (product.stride, product.pad, product.groups)
        node = Conv(product.node, (source.name,), output, weight, bits, requant, *layout)
    return state.emit(node, replace(quantiser, lo=lo, hi=hi), product.node)


def narrowest(weight: np.ndarray) -> tuple[np.ndarray, int]:
    """(int8 codes, 4 or 8 bits). Raises `Unsupported` where 8 bits do not hold them."""
    for bits in (4, 8):
        if weight.size and WEIGHT_MIN[bits] <= int(weight.min()) and int(weight.max()) <= WEIGHT_MAX[bits]:
            return weight.astype(np.int8), bits
    ends = f"{weight.min()}..{weight.max()}" if weight.size else "none"
    raise Unsupported(f"weight codes {ends}, less their zero point", "use symmetric weights of at most 8 bits")


def deform_bound(offsets: Codes, form: str) -> int:
    """The farthest offset of a limited range. Raises `Unsupported` if distances may be negative or nothing moves."""
    lo, hi = offsets.quantiser.lo, offsets.quantiser.hi
    if form == "square" and lo < 0:
        raise Unsupported(f"distances may be negative ({lo}..{hi})", "clip them to 0..7")
    bound = max(hi, -lo, 1)
    if bound > CODE_MAX:
        raise Unsupported(f"offsets reach {lo}..{hi}", "clip them to -7..7")
    return bound


def _finish_sum(state: State, added: Sum, quantiser: Quantiser, output: str) -> Codes:
    first, second = (term.tensor for term in added.terms)
    multipliers, shift = add_parameters(first.scale, second.scale, quantiser.scale, added.node)
    lo, hi = _ends(added.limits, quantiser)
    node = AddNode(added.node, (first.name, second.name), output, multipliers, shift, quantiser.zero_point, lo, hi)
    return state.emit(node, replace(quantiser, lo=lo, hi=hi), added.node)


def _finish_mean(state: State, mean: Mean, quantiser: Quantiser, output: str) -> Codes:
    source = mean.source.tensor
    channels, height, width = source.shape
    ones = np.ones((channels, height * width), np.int8)
    scale = 1.0 / (height * width)
    m, s, b = requant_parameters(ones, source.scale, scale, quantiser.scale, source.zero_point, layer=mean.node)
    lo, hi = _ends(mean.limits, quantiser)
    node = GlobalAveragePool(mean.node, (source.name,), output, Requant(m, s, b, quantiser.zero_point, lo, hi))
    return state.emit(node, replace(quantiser, lo=lo, hi=hi), mean.node)


def _finish_joined(state: State, joined: Joined, quantiser: Quantiser, output: str) -> Codes:
    parts = []
    for index, part in enumerate(joined.parts):
        name = part.output if isinstance(part, Pending) else f"{joined.node}/{index}"
        parts.append(state.quantise(part, quantiser, name, f"{joined.node}/{index}"))  # type: ignore[arg-type]
    node = Concat(joined.node, tuple(part.tensor.name for part in parts), output)
    return state.emit(node, quantiser, joined.node)


_FINISH = {Product: _finish_product, Sum: _finish_sum, Mean: _finish_mean, Joined: _finish_joined}
