# SPDX-License-Identifier: Apache-2.0
"""Cycles that a group keeps each kind of engine busy: which of them bounds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import Add, Conv, DeformConv, Graph, Node
from codesign.plan.geometry import geometry
from codesign.plan.groups import Group, is_stem
from codesign.plan.operators import is_pointwise
from codesign.plan.views import Layout
from codesign.program.config import AcceleratorConfig


@dataclass(frozen=True)
class Workload:
    """Busy cycles; ``gather`` is a unit's share."""

    array: float = 0
    gather: float = 0
    load: float = 0
    store: float = 0

    @property
    def array_bound(self) -> bool:
        """Whether the array has the most to do."""
        return self.array >= 0.95 * max(self.gather, self.load, self.store)

    def __add__(self, other: Workload) -> Workload:
        return Workload(
            self.array + other.array,
            self.gather + other.gather,
            self.load + other.load,
            self.store + other.store,
        )


def workload(group: Group, graph: Graph, layout: Layout, config: AcceleratorConfig) -> Workload:
    """Of a group, without waiting, fill or drain. Maps of more than half the scratchpad are counted as going through DRAM."""
    stem = is_stem(group.nodes[0], graph, layout)
    array = gather = 0.0
    for node in group.nodes:
        _, height, width = graph.tensors[node.output].shape
        first_of_stem = stem and node is group.nodes[0]
        if is_pointwise(node):
            array += height * width * _passes(node, layout, config, first_of_stem)
        else:
            gather += (
                height * width * len(layout.views[node.output].planes) * _taps(node, config) / config.depthwise_units
            )
        if first_of_stem:
            gather += height * width * node.weight.shape[2] * 1.25 / config.depthwise_units
    load = sum(_through_dram(name, graph, layout, config) for name in group.inputs)
    return Workload(array, gather, load, _through_dram(group.nodes[-1].output, graph, layout, config))


def _through_dram(name: str, graph: Graph, layout: Layout, config: AcceleratorConfig) -> float:
    """Cycles of a transfer of a whole map, 0 where it can stay in the scratchpad."""
    if name == graph.input.name and layout.image:
        return graph.input.shape[1] * graph.input.shape[2] * 4 / 8
    _, height, width = graph.tensors.get(name, graph.input).shape
    view = layout.views[name]
    words = len(view.planes) * (height >> view.up) * (width >> view.up)
    return words * config.word_beats if words > config.spad_words // 2 else 0.0


def _passes(node: Conv, layout: Layout, config: AcceleratorConfig, stem: bool) -> int:
    channels = layout.views[node.output].channels
    blocks = len(np.unique(channels[:, 0] * config.groups + channels[:, 1] // config.array_out))
    taps = 1 if stem else node.weight.shape[2] * node.weight.shape[3]
    planes = 1 if stem else len(layout.views[node.inputs[0]].planes)
    return blocks * planes * taps * (2 if node.weight_bits == 8 else 1)


def _taps(node: Node, config: AcceleratorConfig) -> int:
    if isinstance(node, Add):
        return 2 * config.lanes // config.depthwise_requant
    kernel, _, _ = geometry(node)
    wide = isinstance(node, (Conv, DeformConv)) and node.weight_bits == 8
    return kernel[0] * kernel[1] * (2 if wide else 1) + isinstance(node, DeformConv)
