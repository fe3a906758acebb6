# SPDX-License-Identifier: Apache-2.0
"""What was exported is imported again, and every integer compared with the graph's own."""

from __future__ import annotations

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
    Shuffle,
    Slice,
    Upsample,
)
from codesign.numeric import ACC_BITS_MAX
from codesign.onnx.export.constants import settled_channels
from codesign.onnx.export.writer import Written
from codesign.onnx.importer import import_proto

_SETTINGS = {
    Conv: ("stride", "pad", "groups"), DeformConv: ("form",), MaxPool: ("kernel", "stride", "pad"), Slice: ("start", "stop"),
    Shuffle: ("groups",), Add: ("multipliers", "shift", "zero_point", "lo", "hi"), GlobalAveragePool: (), Upsample: (), Concat: (),
}  # fmt: skip


def prove(graph: Graph, written: Written) -> None:
    """Raises UserError, naming the layer, unless importing ``written`` gives the layers of ``graph`` that its outputs need, with
    the same integers."""
    try:
        again = import_proto(written.proto, ACC_BITS_MAX)
    except UserError as error:
        raise UserError(f"what is exported cannot be imported again: {error}") from None
    found = {node.name: node for node in again.nodes}
    needed = _needed(graph)
    for node in graph.nodes:
        if node.name not in needed:
            continue
        twin = found.pop(node.name, None)
        problem = "it is not there" if twin is None else _difference(node, twin, written.names)
        if problem:
            raise UserError(f"layer {node.name!r}: imported again it is another layer ({problem}); report this graph")
    outputs = {role: written.names[name] for role, name in graph.outputs.items()}
    if found or again.outputs != outputs:
        raise UserError(f"imported again it has other outputs or layers ({', '.join([*found, *again.outputs])[:120]}); report this graph")


def _difference(node: Node, twin: Node, names: dict[str, str]) -> str:
    """In a word; empty if both compute the same."""
    if type(node) is not type(twin):
        return type(twin).__name__
    if twin.inputs != tuple(names[name] for name in node.inputs) or twin.output != names[node.output]:
        return "inputs or output"
    for name in _SETTINGS[type(node)]:
        if getattr(node, name) != getattr(twin, name):
            return name
    if isinstance(node, Conv | DeformConv):
        if not np.array_equal(node.weight, twin.weight):  # type: ignore[attr-defined]
            return "weights"
        want = settled_channels(node.weight, (node.requant.multiplier, node.requant.shift, node.requant.bias))
    elif isinstance(node, GlobalAveragePool):
        want = node.requant.multiplier, node.requant.shift, node.requant.bias
    else:
        return ""
    r = twin.requant  # type: ignore[attr-defined]
    same = all(np.array_equal(a, b) for a, b in zip(want, (r.multiplier, r.shift, r.bias)))
    ends = (r.zero_point, r.lo, r.hi) == (node.requant.zero_point, node.requant.lo, node.requant.hi)
    return "" if same and ends else "requantisation"


def _needed(graph: Graph) -> set[str]:
    """Names of the layers that an output depends on."""
    wanted, found = set(graph.outputs.values()), set()
    for node in reversed(graph.nodes):
        if node.output in wanted:
            found.add(node.name)
            wanted |= set(node.inputs)
    return found
