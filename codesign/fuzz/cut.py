# SPDX-License-Identifier: Apache-2.0
"""A part of a graph as a graph of its own: between two tensors, on a cropped input."""

from __future__ import annotations

import numpy as np

from codesign.errors import UserError
from codesign.golden import run, run_node
from codesign.graph.ir import Graph, Node, Tensor
from codesign.graph.rules import check


def cut(
    graph: Graph, codes: np.ndarray, source: str, target: str, crop: tuple[int, int] | None
) -> tuple[Graph, np.ndarray]:
    """What computes tensor ``target`` from tensor ``source`` ("" for the graph's own), and the codes of ``source`` that
    golden gives for ``codes``, their first ``crop`` rows and columns. Raises `UserError` where that is no graph: another
    way leads past ``source``, or a layer cannot do with so small a map.
    """
    tensors = {graph.input.name: graph.input, **graph.tensors}
    if any(name and name not in tensors for name in (source, target)):
        raise UserError(f"the graph has no tensor {source if source not in tensors else target!r}")
    start = tensors[source or graph.input.name]
    ends = [target] if target else list(graph.outputs.values())
    nodes = _between(graph, start.name, ends)
    given = run(graph, codes)[start.name] if source else codes
    height, width = crop or given.shape[1:]
    given = np.ascontiguousarray(given[:, :height, :width])
    made = _sized(start, nodes, {t: tensors[t] for t in tensors}, given)
    outputs = {"out": target} if target else dict(graph.outputs)
    kept = Graph(made[start.name], tuple(nodes), {n.output: made[n.output] for n in nodes}, outputs, dict(graph.meta))
    # a graph lists its input among its tensors where the whole one does
    if graph.input.name in graph.tensors:
        kept.tensors[start.name] = made[start.name]
    check(kept)
    return kept, given


def _between(graph: Graph, start: str, ends: list[str]) -> list[Node]:
    maker = {node.output: node for node in graph.nodes}
    wanted, todo = set[str](), [name for name in ends if name != start]
    while todo:
        name = todo.pop()
        if name in wanted or name == start:
            continue
        if name not in maker:
            raise UserError(f"tensor {ends[0]!r} does not follow from {start!r} alone")
        wanted.add(name)
        todo += maker[name].inputs
    return [node for node in graph.nodes if node.output in wanted]


def _sized(start: Tensor, nodes: list[Node], tensors: dict[str, Tensor], codes: np.ndarray) -> dict[str, Tensor]:
    """The tensors with the shapes that follow from ``codes``."""
    values = {start.name: codes}
    for node in nodes:
        zeros = [tensors[name].zero_point for name in node.inputs]
        try:
            values[node.output] = run_node(node, [values[name] for name in node.inputs], zeros)
        except ValueError as error:
            raise UserError(f"layer {node.name!r} cannot do with a smaller map: {error}") from error
    shapes = {name: (v.shape[0], v.shape[1], v.shape[2]) for name, v in values.items()}
    return {name: Tensor(name, shapes[name], tensors[name].scale, tensors[name].zero_point) for name in values}
