# SPDX-License-Identifier: Apache-2.0
"""An integer graph as hls4ml's list of layers, its heads concatenated into the one output tensor the board's shell takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codesign.errors import UserError
from codesign.graph.ir import Concat, Conv, DeformConv, Graph, Node
from codesign.hls.attributes import CONCAT, node_attributes, parameters

HEADS = "heads"
_ARRAYS = ("weight_data", "multiplier_data", "shift_data", "bias_data")


@dataclass(frozen=True)
class LayerList:
    """``layers`` as `ModelGraph.from_layer_list` takes them; ``names`` maps tensors to layers; ``outputs`` are the roles'
    tensors in the order of the output's channels."""

    layers: list[dict[str, Any]]
    names: dict[str, str]
    output: str
    outputs: tuple[str, ...]


def layer_list(graph: Graph) -> LayerList:
    """Every tensor of ``graph`` is one layer's output. UserError where an operator has no kernel or heads differ in size."""
    names = _identifiers([graph.input.name, *(node.output for node in graph.nodes)])
    channels, height, width = graph.input.shape
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "name": names[graph.input.name], "input_shape": [height, width, channels]}
    ]
    for node in graph.nodes:
        layers += _layers(graph, node, names)
    outputs = tuple(dict.fromkeys(graph.outputs.values()))
    sizes = {graph.tensors[name].shape[1:] for name in outputs}
    if len(sizes) != 1:
        raise UserError(f"outputs of sizes {sorted(sizes)}: the board's shell takes one tensor; build it with --backend amaranth")
    joined = _join([names[name] for name in outputs], HEADS)
    return LayerList([*layers, *joined], names, joined[-1]["name"] if joined else names[outputs[0]], outputs)


def _identifiers(tensors: Sequence[str]) -> dict[str, str]:
    """A C++ identifier for every tensor."""
    found: dict[str, str] = {}
    for name in tensors:
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
        plain = f"t_{plain}" if not plain[:1].isalpha() or plain in ("input", HEADS) else plain
        while plain in found.values() or plain.startswith(f"{HEADS}_"):
            plain = f"t_{plain}_"
        found[name] = plain
    return found


def _layers(graph: Graph, node: Node, names: dict[str, str]) -> list[dict[str, Any]]:
    inputs, name = [names[each] for each in node.inputs], names[node.output]
    if isinstance(node, Concat) and len(inputs) != 2:
        return [*_join(inputs, name)] or _renamed(graph, node, inputs, name)
    first = graph.tensors.get(node.inputs[0], graph.input)
    attributes = node_attributes(node, first.shape, first.zero_point)
    layer = {"class_name": attributes.kind, "name": name, "inputs": inputs, "trace": True, **attributes.values}
    if isinstance(node, Conv | DeformConv):
        layer.update(zip(_ARRAYS, parameters(node), strict=True))
    return [layer]


def _join(inputs: Sequence[str], name: str) -> list[dict[str, Any]]:
    """Concatenations of two, the last one called ``name``; none for a single input."""
    layers, left = [], inputs[0]
    for number, right in enumerate(inputs[1:], 2):
        last = number == len(inputs)
        output = name if last else f"{name}_{number}"
        layers.append({"class_name": CONCAT, "name": output, "inputs": [left, right], "axis": 3, "op": "concatenate3d", "trace": last})
        left = output
    return layers


def _renamed(graph: Graph, node: Concat, inputs: list[str], name: str) -> list[dict[str, Any]]:
    """A concatenation of one tensor, as the slice of all its channels."""
    channels, height, width = graph.tensors[node.output].shape
    values = {"in_height": height, "in_width": width, "n_chan": channels, "n_filt": channels, "start": 0}
    return [{"class_name": "CodesignSlice", "name": name, "inputs": inputs, "trace": True, **values}]
