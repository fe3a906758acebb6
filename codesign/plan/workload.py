# SPDX-License-Identifier: Apache-2.0
"""Cycles that steps keep each kind of engine busy: which of them bounds a group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import Conv, DeformConv, Graph, Node
from codesign.plan.geometry import geometry
from codesign.plan.groups import is_pointwise
from codesign.plan.steps import IMAGE, WINDOW, Compute, Fetch, Keep, Step, Take
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


def workload(slots: list[list[Step]], graph: Graph, layout: Layout, config: AcceleratorConfig) -> Workload:
    """Sum over ``slots``, without waiting, fill or drain."""
    array = gather = load = store = 0.0
    takes: dict[tuple, Take] = {}
    for step in (step for slot in slots for step in slot):
        match step:
            case Take():
                takes[step.key] = step
            case Fetch():
                take = takes[step.key]
                load += len(take.planes) * take.plane_words * config.word_beats
            case Keep():
                take = takes[step.key]
                store += len(take.planes) * (step.stop - step.start) * take.width * config.word_beats
            case Compute():
                for node, rows in zip(step.nodes, step.rows, strict=True):
                    pixels = (rows[1] - rows[0]) * graph.tensors[node.output].shape[2]
                    if IMAGE in step.sources:
                        gather += pixels * node.weight.shape[2] * 1.25 / config.depthwise_units
                    elif is_pointwise(node):
                        array += pixels * _passes(node, layout, config, WINDOW in step.sources)
                    else:
                        planes = step.planes or layout.views[node.output].planes
                        gather += pixels * len(planes) * _taps(node) / config.depthwise_units
    return Workload(array, gather, load, store)


def _passes(node: Conv, layout: Layout, config: AcceleratorConfig, stem: bool) -> int:
    channels = layout.views[node.output].channels
    blocks = len(np.unique(channels[:, 0] * config.groups + channels[:, 1] // config.array_out))
    taps = 1 if stem else node.weight.shape[2] * node.weight.shape[3]
    planes = 1 if stem else len(layout.views[node.inputs[0]].planes)
    return blocks * planes * taps * (2 if node.weight_bits == 8 else 1)


def _taps(node: Node) -> int:
    kernel, _, _ = geometry(node)
    wide = isinstance(node, (Conv, DeformConv)) and node.weight_bits == 8
    return kernel[0] * kernel[1] * (2 if wide else 1) + isinstance(node, DeformConv)
