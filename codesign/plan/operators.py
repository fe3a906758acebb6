# SPDX-License-Identifier: Apache-2.0
"""Operators in the form in which the engines execute them, before anything is placed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
from codesign.numeric import MULTIPLIER_NORMAL

_UNIT_SHIFT = MULTIPLIER_NORMAL.bit_length() - 1


class PlaneSum(Conv):
    """A global average pool: a depthwise convolution with weights of 1 and a kernel as large as the map."""


def is_pointwise(node: Node) -> bool:
    """Runs on the array: 1×1 and full convolutions."""
    return isinstance(node, Conv) and node.groups == 1 and not isinstance(node, PlaneSum)


def is_gather(node: Node) -> bool:
    """Reads taps of one map, plane by plane: what a unit runs, but for sums."""
    return not is_pointwise(node) and not isinstance(node, Add)


def executable(graph: Graph) -> Graph:
    """``graph`` with each global average pool as a `PlaneSum`, and a copy of every addend whose channels an array layer
    cannot lay out in order (behind a slice, concat or shuffle): an addition needs both addends' channels in the same lanes."""
    tensors = {graph.input.name: graph.input, **graph.tensors}
    ordered = {graph.input.name}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, GlobalAveragePool):
            node = _plane_sum(node, tensors[node.inputs[0]])
        elif isinstance(node, Add):
            copies = {name: _copy(node, name, tensors) for name in dict.fromkeys(node.inputs) if name not in ordered}
            nodes += copies.values()
            ordered |= {copy.output for copy in copies.values()}
            tensors |= {copy.output: replace(tensors[name], name=copy.output) for name, copy in copies.items()}
            renamed = tuple(copies[name].output if name in copies else name for name in node.inputs)
            node = replace(node, inputs=renamed)
        nodes.append(node)
        if not isinstance(node, Slice | Concat | Shuffle) and (is_pointwise(node) or node.inputs[0] in ordered):
            ordered.add(node.output)
    if len(nodes) == len(graph.nodes) and all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
        return graph
    kept = {name: tensor for name, tensor in tensors.items() if name in graph.tensors or name != graph.input.name}
    return replace(graph, nodes=tuple(nodes), tensors=kept)


def _plane_sum(node: GlobalAveragePool, source: Tensor) -> PlaneSum:
    channels, height, width = source.shape
    weight = np.ones((channels, 1, height, width), np.int8)
    return PlaneSum(node.name, node.inputs, node.output, weight, 4, node.requant, groups=channels)


def _copy(node: Add, name: str, tensors: dict[str, Tensor]) -> Conv:
    """The same codes, from the array: weights 1, a multiplier of 1."""
    channels, zero = tensors[name].shape[0], tensors[name].zero_point
    same = np.full(channels, MULTIPLIER_NORMAL)
    requant = Requant(same, np.full(channels, _UNIT_SHIFT), -zero * same, zero)
    weight = np.eye(channels, dtype=np.int8).reshape(channels, channels, 1, 1)
    output = f"{node.name}.copy.{name}"
    return Conv(output, (name,), output, weight, 4, requant)


def lane_roots(graph: Graph) -> frozenset[str]:
    """Tensors whose channels must lie in order, because they, or what keeps their lanes, are added."""
    roots: dict[str, str] = {graph.input.name: graph.input.name}
    found: set[str] = set()
    for node in graph.nodes:
        keeps = isinstance(node, Conv | DeformConv | MaxPool | Add | Upsample) and not is_pointwise(node)
        roots[node.output] = roots.get(node.inputs[0], node.output) if keeps else node.output
        if isinstance(node, Add):
            found |= {roots[name] for name in node.inputs}
    return frozenset(found)
