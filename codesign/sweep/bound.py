# SPDX-License-Identifier: Apache-2.0
"""Cycles and DRAM bytes of a network on many accelerators at once, from what each group of layers asks of each engine.

A group takes as long as its busiest engine; nothing waits. What that leaves out (fill, drain, conflicts, parameters that come
late) is what `screen` learns from designs that are planned in full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import DeformConv, Graph, Node
from codesign.plan.geometry import geometry
from codesign.plan.groups import Group, is_pointwise, is_stem, make_groups
from codesign.plan.latency.hardware import WEIGHTS_PER_BEAT
from codesign.plan.placement import place
from codesign.plan.views import Layout
from codesign.plan.workload import workload
from codesign.program.config import AcceleratorConfig
from codesign.sweep.space import Design

BEAT_BYTES = 8
_STRIP = 64  #: least pixels of a strip
_SHARED = 1.5  #: cycles a beat on a port that loads and parameters share: neither's bursts are as long alone
_ROOM = 96  #: of the scratchpad that goes with a pixel of a longer one
_NO_LIMIT = 65536  #: words of a scratchpad in which every map that matters stays


@dataclass(frozen=True)
class _Shape:
    """Of all groups (rows), for one layout: array cycles; gathers as (pixels, taps) pairs; words of the maps in and out; beats of
    the weight tiles, which are fetched again for every strip."""

    array: np.ndarray
    gathers: list[list[tuple[float, float]]]
    maps: list[list[float]]
    params: list[list[tuple[float, float]]]


def bounds(graph: Graph, designs: list[Design]) -> np.ndarray:
    """(designs, 2): cycles and DRAM bytes that no design undercuts by much."""
    answer = np.zeros((len(designs), 2))
    shapes: dict[tuple[int, int], _Shape] = {}
    for index, design in enumerate(designs):
        config = design.board.accelerator
        key = config.lanes, config.array_out
        if key not in shapes:
            shapes[key] = _shape(graph, config)
        answer[index] = _bound(shapes[key], design)
    return answer


def _shape(graph: Graph, config: AcceleratorConfig) -> _Shape:
    wide = AcceleratorConfig(lanes=config.lanes, array_out=config.array_out, depthwise_units=1, spad_words=_NO_LIMIT)
    layout = place(graph, wide)
    groups = make_groups(graph, layout)
    array = np.array([workload(group, graph, layout, wide).array for group in groups])
    gathers = [[g for node in group.nodes for g in _gathers(node, group, graph, layout)] for group in groups]
    maps = [_maps(group, graph, layout) for group in groups]
    tile = wide.array_macs / WEIGHTS_PER_BEAT
    params = [[(tile * n, pixels) for node in group.nodes for n, pixels in _tiles(node, group, graph, layout, wide)] for group in groups]
    return _Shape(array, gathers, maps, params)


def _gathers(node: Node, group: Group, graph: Graph, layout: Layout) -> list[tuple[float, float]]:
    _, height, width = graph.tensors[node.output].shape
    if is_pointwise(node):
        stem = node is group.nodes[0] and is_stem(node, graph, layout)
        return [(height * width, node.weight.shape[2] * 1.25)] if stem else []
    kernel, _, _ = geometry(node)
    wide = 2 if getattr(node, "weight_bits", 4) == 8 else 1
    taps = kernel[0] * kernel[1] * wide + isinstance(node, DeformConv)
    return [(height * width * len(layout.views[node.output].planes), taps)]


def _tiles(node: Node, group: Group, graph: Graph, layout: Layout, config: AcceleratorConfig) -> list[tuple[float, float]]:
    """(weight tiles of the node, pixels of its map); every strip loads the tiles anew."""
    if not is_pointwise(node):
        return []
    _, height, width = graph.tensors[node.output].shape
    alone = Group((node,), (int(node is group.nodes[0] and is_stem(node, graph, layout)),))
    return [(workload(alone, graph, layout, config).array / (height * width), height * width)]


def _maps(group: Group, graph: Graph, layout: Layout) -> list[float]:
    """Words of the maps that cross the group's border."""
    found = []
    for name in [*group.inputs, group.nodes[-1].output]:
        if name == graph.input.name and layout.image:
            continue
        view = layout.views[name]
        _, height, width = graph.tensors.get(name, graph.input).shape
        found.append(len(view.planes) * (height >> view.up) * (width >> view.up))
    return found


def _bound(shape: _Shape, design: Design) -> tuple[float, float]:
    config, dram = design.board.accelerator, design.board.dram
    least = config.lanes / config.depthwise_requant
    cycles = moved = 0.0
    strip = max(_STRIP, config.spad_words / _ROOM)
    for array, gathers, maps, weights in zip(shape.array, shape.gathers, shape.maps, shape.params, strict=True):
        params = sum(max(tiles, tiles * pixels / strip) for tiles, pixels in weights)
        gather = sum(pixels * max(taps, least) for pixels, taps in gathers) / config.depthwise_units
        words = sum(size for size in maps if size > config.spad_words // 2)
        transfer = words * max(config.word_beats, config.word_bytes / dram.bytes_per_cycle)
        port = _SHARED * (transfer + params) if config.memory_ports == 1 else max(transfer, params)
        cycles += max(array, gather, port)
        moved += words * config.word_bytes + params * BEAT_BYTES
    return cycles, moved
