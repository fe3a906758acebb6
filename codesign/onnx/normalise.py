# SPDX-License-Identifier: Apache-2.0
"""From ONNX's message to a `Model`: attributes as Python values, constants folded, shapes inferred."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from codesign.errors import UserError
from codesign.onnx.inference import QUANTISERS, infer_shapes
from codesign.onnx.model import ConstantCodes, Model, Operator
from codesign.onnx.reader import MAX_ELEMENTS, QONNX_DOMAINS, one_line
from codesign.onnx.reference import evaluate
from codesign.onnx.reference.quantisation import quant_codes, spread

#: operators that make constants of constants, none of them of a size that their own result's shape does not tell
_FOLDED = frozenset(
    {"Add", "Cast", "Clip", "Concat", "DequantizeLinear", "Div", "Flatten", "Gather", "Identity", "IntQuant", "Mul", "Quant"}
    | {"QuantizeLinear", "Reshape", "Round", "Shape", "Slice", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze"}
)
_STANDARD, _MICROSOFT = ("", "ai.onnx"), "com.microsoft"
ABOUT = "codesign.detector"  #: metadata key: JSON of a detector's class names and of how its pictures are fitted
MAX_FOLDED = 2**28  #: elements of all constants that operators make of constants
_CONSTANT_FIELDS = ("value", "value_float", "value_floats", "value_int", "value_ints")


def normalise(proto: onnx.ModelProto) -> Model:
    """The model as plain data. Raises UserError for constants that cannot be read and shapes that contradict each other."""
    graph = proto.graph
    shapes = infer_shapes(proto)
    constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
    codes: dict[str, ConstantCodes] = {}
    kept, folded, spent = [], [], 0
    for operator in operators(graph):
        spent += _size_folded(operator, constants, shapes)
        if spent > MAX_FOLDED:
            rule = f"constants computed of constants, up to {operator.name[:60]!r}, have more than {MAX_FOLDED} elements"
            raise UserError(f"{rule}; export the model with constants folded, or a smaller one")
        found = _fold(operator, constants, shapes)
        if found is None:
            kept.append(operator)
            continue
        folded.append(operator.name)
        constants.update(zip(operator.outputs, found))
        known = _codes(operator, constants, codes)
        if known is not None:
            codes[operator.outputs[0]] = known
        shapes.update({name: array.shape for name, array in zip(operator.outputs, found)})
    given = [value for value in graph.input if value.name not in constants]
    return Model(
        opset=next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")),
        operators=tuple(kept),
        constants=constants,
        codes=codes,
        shapes=shapes,
        inputs={value.name: shapes.get(value.name, ()) for value in given},
        kinds={value.name: _kind(value) for value in given},
        outputs=tuple(value.name for value in graph.output),
        folded=tuple(folded),
        producer=_text(f"{proto.producer_name} {proto.producer_version}"),
        about=next((entry.value for entry in proto.metadata_props if entry.key == ABOUT), ""),
    )


def _text(said: str) -> str:
    """Printable, and short."""
    return "".join(c for c in said if c.isprintable()).strip()[:80]


def operators(graph: onnx.GraphProto) -> list[Operator]:
    """All nodes; each has a name of its own: ONNX's, or its first output's, and a number where that is taken."""
    result, taken = [], set()
    for index, node in enumerate(graph.node):
        name = base = node.name or next((out for out in node.output if out), f"{node.op_type}{index}")
        if name in taken:
            name = f"{base}#{index}"
        taken.add(name)
        attributes = {a.name: _attribute(a) for a in node.attribute}
        if node.op_type == "Split":
            attributes["num_outputs"] = len(node.output)
        result.append(Operator(name, _kind_of(node), tuple(node.input), tuple(node.output), attributes))
    return result


def _kind_of(node: onnx.NodeProto) -> str:
    """The operator's name; with its domain where that is none of those whose operators are known."""
    known = node.domain in _STANDARD or (node.domain in QONNX_DOMAINS and node.op_type in QUANTISERS)
    known |= node.domain == _MICROSOFT and node.op_type in ("QuantizeLinear", "DequantizeLinear")  # as ONNX's own
    return node.op_type if known else f"{node.domain}.{node.op_type}"


def _attribute(attribute: onnx.AttributeProto) -> Any:
    if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
        return None  # a control-flow operator, which is refused by its name
    if attribute.type == onnx.AttributeProto.TENSOR:
        return _array(attribute.t)
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return list(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


def _array(tensor: onnx.TensorProto) -> np.ndarray:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, RuntimeError, OverflowError) as error:
        raise UserError(f"constant {tensor.name[:60]!r} cannot be read: {one_line(error)}; export it again") from None


def _kind(value: onnx.ValueInfoProto) -> str:
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).name
    except (KeyError, ValueError, TypeError):
        return "unknown"


def _fold(operator: Operator, constants: dict[str, np.ndarray], shapes: dict) -> list[np.ndarray] | None:
    """The outputs of an operator that makes a constant, else None."""
    if operator.kind == "Constant":
        found = next((operator.attributes[f] for f in _CONSTANT_FIELDS if f in operator.attributes), None)
        kind = np.int64 if "value_int" in operator.attributes or "value_ints" in operator.attributes else np.float32
        return None if found is None else [found if isinstance(found, np.ndarray) else np.array(found, kind)]
    if operator.kind == "Shape" and operator.inputs[0] in shapes:
        return evaluate("Shape", [np.broadcast_to(np.zeros(()), shapes[operator.inputs[0]])], operator.attributes)
    if not _foldable(operator, constants, shapes):
        return None
    try:
        with np.errstate(all="ignore"):
            return evaluate(operator.kind, [constants.get(name) for name in operator.inputs], operator.attributes)
    except (ValueError, TypeError, KeyError, IndexError, ZeroDivisionError, OverflowError, AttributeError):
        return None  # it stays an operator, and is refused where it is read


def _foldable(operator: Operator, constants: dict[str, np.ndarray], shapes: dict) -> bool:
    """Whether it makes constants, of known sizes within the limit, of constants."""
    known = operator.kind in _FOLDED and all(name in constants for name in operator.inputs if name)
    sizes = [math.prod(shapes[name]) for name in operator.outputs if name in shapes]
    return known and len(sizes) == len(operator.outputs) and max(sizes) <= MAX_ELEMENTS


def _size_folded(operator: Operator, constants: dict[str, np.ndarray], shapes: dict) -> int:
    """Elements that folding it makes; 0 where it makes none, or names what is there."""
    if operator.kind == "Identity" or not _foldable(operator, constants, shapes):
        return 0
    return sum(math.prod(shapes[name]) for name in operator.outputs)


def _codes(operator: Operator, constants: dict[str, np.ndarray], codes: dict) -> ConstantCodes | None:
    """The codes behind a folded quantiser, or behind what only moves them."""
    given = [constants.get(name) for name in operator.inputs]
    if operator.kind in ("Quant", "IntQuant") and len(given) == 4:
        with np.errstate(all="ignore"):
            found = quant_codes(given, operator.attributes)
        return _constant_codes(found, given[1], given[2])
    if operator.kind == "DequantizeLinear" and given[0].dtype.name in _INTEGERS:
        zero = np.zeros((), np.int64) if len(given) < 3 else given[2].astype(np.int64)
        scale, zero = (spread(v, given[0].shape, operator.attributes) for v in (given[1], zero))
        return _constant_codes(given[0].astype(np.int64), scale, zero)
    source = codes.get(operator.inputs[0]) if operator.inputs else None
    if operator.kind == "Transpose" and source is not None:
        return source.transposed(operator.attributes.get("perm"))
    return source if operator.kind == "Identity" else None


_INTEGERS = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16", "int32")


def _constant_codes(codes: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> ConstantCodes | None:
    """None unless all values are finite and codes and zero points whole."""
    parts = [np.asarray(v, np.float64) for v in (codes, scale, zero)]
    if not all(np.isfinite(v).all() for v in parts) or any((v != np.rint(v)).any() for v in (parts[0], parts[2])):
        return None
    return ConstantCodes(parts[0].astype(np.int64), parts[1], parts[2].astype(np.int64))
