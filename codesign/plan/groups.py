# SPDX-License-Identifier: Apache-2.0
"""Which operators run fused, strip by strip, with the tensors between them in the scratchpad only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from codesign.graph.ir import Add, DeformConv, Graph, Node
from codesign.plan.operators import is_pointwise
from codesign.plan.views import Layout, is_view


@dataclass(frozen=True, eq=False)
class Group:
    """A chain of computing nodes. ``stages[i]`` is node i's place in the software pipeline: in time slot t the nodes of
    stage k work on strip t - k, so that engines overlap across strips."""

    nodes: tuple[Node, ...]
    stages: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.nodes[0].name if len(self.nodes) == 1 else f"{self.nodes[0].name}..{self.nodes[-1].name}"

    @property
    def inputs(self) -> list[str]:
        """Tensors from outside, each once."""
        return list(dict.fromkeys(n for node in self.nodes for n in node.inputs if n not in self.internal))

    @cached_property
    def internal(self) -> frozenset[str]:
        """Tensors that only nodes of this group read."""
        return frozenset(node.output for node in self.nodes[:-1])

    def cut(self) -> list[Group]:
        """Its first node, and the others, as two groups. A stem keeps stage 1, behind its windows."""
        first, rest = self.nodes[:1], self.nodes[1:]
        return [
            Group(first, self.stages[:1]),
            Group(rest, tuple(s - self.stages[1] for s in self.stages[1:])),
        ]


def is_stem(node: Node, graph: Graph, layout: Layout) -> bool:
    """Reads the image: its windows are gathered into words first."""
    return layout.image and is_pointwise(node) and node.inputs[0] == graph.input.name


def make_groups(graph: Graph, layout: Layout) -> list[Group]:
    """Chains of nodes in graph order: an output with a single reader, the next node, stays inside the group."""
    work = [node for node in graph.nodes if not is_view(node)]
    readers = _reader_counts(graph)
    groups: list[list[Node]] = []
    for node in work:
        if groups and _joins(groups[-1], node, readers):
            groups[-1].append(node)
        else:
            groups.append([node])
    return [Group(tuple(nodes), _stages(nodes, is_stem(nodes[0], graph, layout))) for nodes in groups]


def _reader_counts(graph: Graph) -> dict[str, int]:
    counts = {name: 0 for name in graph.tensors}
    for node in graph.nodes:
        for name in node.inputs:
            counts[name] += 1
    for name in graph.outputs.values():
        counts[name] += 1
    return counts


def _joins(group: list[Node], node: Node, readers: dict[str, int]) -> bool:
    last = group[-1]
    if last.output not in node.inputs or readers[last.output] != 1:
        return False
    if isinstance(last, Add):  # ends its group: the next block begins behind it
        return False
    if isinstance(node, Add):
        return is_pointwise(last) and node.inputs.count(last.output) == 1
    if is_pointwise(node):  # a second array layer joins only behind a depthwise one; it ends the group
        return not is_pointwise(last) and node.weight.shape[2:] == (1, 1) and node.stride == 1
    if not is_pointwise(last):
        return False
    if len(group) > 1:
        return False
    if isinstance(node, DeformConv):
        return last.output == node.inputs[1]
    return True


def _stages(nodes: list[Node], stem: bool) -> tuple[int, ...]:
    """Stem: window 0 (implicit), array 1, pool 2. Otherwise array and gather share slot 0, the second array layer is 1."""
    if stem:
        return tuple(range(1, len(nodes) + 1))
    stages, stage = [], 0
    for i, node in enumerate(nodes):
        if i and is_pointwise(node):
            stage += 1
        stages.append(stage)
    return tuple(stages)
