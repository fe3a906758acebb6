# SPDX-License-Identifier: Apache-2.0
"""Shapes of all tensors by ONNX's own inference, which sees QONNX's quantisers as identities."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from codesign.errors import UserError
from codesign.onnx.reader import QONNX_DOMAINS, one_line

QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant")


def infer_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes by tensor name, those that are known and have no free axis; a free first axis of an input counts as 1.

    Raises UserError where the operators contradict each other.
    """
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    for value in twin.graph.input:
        sides = value.type.tensor_type.shape.dim
        if sides and not sides[0].HasField("dim_value"):
            sides[0].dim_value = 1
    for node in twin.graph.node:
        if node.domain in QONNX_DOMAINS and node.op_type in QUANTISERS and node.input:
            first = node.input[0]
            del node.input[:], node.attribute[:]
            node.input.append(first)
            node.op_type, node.domain = "Identity", ""
    _drop_outputs(twin.graph)
    try:
        inferred = onnx.shape_inference.infer_shapes(twin, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise UserError(f"shapes contradict each other: {one_line(error)}; export the model again") from None
    graph = inferred.graph
    shapes = _declared([*graph.value_info, *graph.output, *graph.input])
    shapes.update({tensor.name: tuple(tensor.dims) for tensor in graph.initializer})
    return shapes


def _drop_outputs(graph: onnx.GraphProto) -> None:
    """Outputs and intermediates are inferred anew, where a free batch may have stood in the declared ones."""
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    stale = [value for value in graph.value_info if _shape(value) is None]
    for value in stale:
        graph.value_info.remove(value)


def _declared(values: list[onnx.ValueInfoProto]) -> dict[str, tuple[int, ...]]:
    found: Mapping[str, tuple[int, ...] | None] = {value.name: _shape(value) for value in values}
    return {name: shape for name, shape in found.items() if shape is not None}


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    kind = value.type.tensor_type
    if not kind.HasField("shape") or any(not side.HasField("dim_value") for side in kind.shape.dim):
        return None
    return tuple(side.dim_value for side in kind.shape.dim)
