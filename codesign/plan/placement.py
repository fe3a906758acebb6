# SPDX-License-Identifier: Apache-2.0
"""Which plane and lane every channel of a graph gets.

Channels that the same layers read share planes, whichever layer produces them: a reader of half the channels of a
shuffled concatenation then reads as few planes as its channels fill. A producer writes its lanes of a shared plane
and leaves the others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from codesign.graph.ir import Add, DeformConv, Graph
from codesign.plan.operators import is_pointwise, lane_roots
from codesign.plan.views import Layout, Plane, View, apply_view, is_view, takes_image
from codesign.program.config import AcceleratorConfig

Readers = tuple  #: who reads a channel, and the size of the map: channels of equal readers may share a plane


def place(graph: Graph, config: AcceleratorConfig) -> Layout:
    """Placement of ``graph``, made `executable`. Only array layers are free to put a channel anywhere; other operators keep
    lanes. What is added lies in order: both addends' channels in the same lanes."""
    return _Placer(graph, config).run()


@dataclass
class _Block:
    """``array_out`` neighbouring lanes of a plane: what one array instruction can write."""

    plane: int
    first: int
    free: list[int] = field(default_factory=list)  #: positions in the block


class _Placer:
    def __init__(self, graph: Graph, config: AcceleratorConfig):
        self._graph, self._lanes, self._out = graph, config.lanes, config.array_out
        self._readers, self._ordered = channel_readers(graph), lane_roots(graph)
        self._planes: list[Plane] = []
        self._blocks: dict[Readers, list[_Block]] = {}
        self._views: dict[str, View] = {}

    def run(self) -> Layout:
        graph = self._graph
        image = takes_image(graph, self._lanes)
        channels = graph.input.shape[0]
        if image:
            pixels = np.stack([np.full(channels, -1), np.arange(channels)], axis=1)
            self._views[graph.input.name] = View(pixels, 0)
        else:
            self._views[graph.input.name] = self._in_order(graph.input.name, graph.input.shape)
        for node in graph.nodes:
            inputs = [self._views[name] for name in node.inputs]
            if is_view(node):
                self._views[node.output] = apply_view(node, inputs)
            elif is_pointwise(node):
                self._views[node.output] = self._produced(node.output)
            else:
                assert not isinstance(node, Add) or (inputs[0].channels[:, 1] == inputs[1].channels[:, 1]).all(), node
                self._views[node.output] = self._plane_for_plane(inputs[0], node.output)
        produced = [n.output for n in graph.nodes if not is_view(n)]
        names = tuple(produced if image else [graph.input.name, *produced])
        return Layout(tuple(self._planes), self._views, names, image)

    def _new_plane(self, shape: tuple[int, ...]) -> int:
        self._planes.append(Plane(len(self._planes), *shape[1:]))
        return len(self._planes) - 1

    def _in_order(self, tensor: str, shape: tuple[int, ...]) -> View:
        """Planes of its own, channels in order: what the host writes, and offsets, which are taken by lane number."""
        planes = [self._new_plane(shape) for _ in range(-(-shape[0] // self._lanes))]
        index = np.arange(shape[0])
        return View(np.stack([np.array(planes)[index // self._lanes], index % self._lanes], axis=1), 0)

    def _plane_for_plane(self, view: View, tensor: str) -> View:
        shape = self._graph.tensors[tensor].shape
        mapping = {plane: self._new_plane(shape) for plane in view.planes}
        channels = view.channels.copy()
        channels[:, 0] = [mapping[int(p)] for p in view.channels[:, 0]]
        return View(channels, 0)

    def _produced(self, tensor: str) -> View:
        """Channels by readers, in blocks. Whole blocks first; what is left over goes to positions that no other
        left-over of this tensor has, as far as possible: those can leave the array in one pass."""
        shape = self._graph.tensors[tensor].shape
        readers = self._readers[tensor]
        if tensor in self._ordered or any(by_lane for key in readers for _, by_lane in key):
            return self._in_order(tensor, shape)
        classes: dict[Readers, list[int]] = {}
        for channel, key in enumerate(readers):
            classes.setdefault((key, shape[1:]), []).append(channel)
        slots = np.zeros((shape[0], 2), int)
        rest: list[tuple[Readers, list[int]]] = []
        for key, members in classes.items():
            whole = len(members) // self._out * self._out
            for at in range(0, whole, self._out):
                block = self._block(key, set(range(self._out)), self._out)
                self._fill(block, range(self._out), members[at : at + self._out], slots)
            if whole < len(members):
                rest.append((key, members[whole:]))
        self._leftovers(rest, slots)
        return View(slots, 0)

    def _leftovers(self, rest: list[tuple[Readers, list[int]]], slots: np.ndarray) -> None:
        taken: list[set[int]] = []  # positions of each pass through the array
        for key, members in sorted(rest, key=lambda item: -len(item[1])):
            size = len(members)
            for used in [*taken, None]:
                if used is None:
                    taken.append(used := set())
                open_positions = set(range(self._out)) - used
                if len(open_positions) >= size:
                    block = self._block(key, open_positions, size)
                    positions = sorted(set(block.free) & open_positions)[:size]
                    used.update(positions)
                    self._fill(block, positions, members, slots)
                    break

    def _fill(self, block: _Block, positions, members: list[int], slots: np.ndarray) -> None:
        for position, channel in zip(positions, members, strict=True):
            slots[channel] = block.plane, block.first + position
            block.free.remove(position)

    def _block(self, key: Readers, positions: set[int], size: int) -> _Block:
        """The fullest block of this class with ``size`` of ``positions`` free; a new plane if there is none."""
        blocks = self._blocks.setdefault(key, [])
        room = [b for b in blocks if len(positions & set(b.free)) >= size]
        if not room:
            plane = self._new_plane((0, *key[1]))
            room = [_Block(plane, at, list(range(self._out))) for at in range(0, self._lanes, self._out)]
            blocks += room
        return min(room, key=lambda b: (len(b.free), b.plane, b.first))


def channel_readers(graph: Graph) -> dict[str, list[tuple]]:
    """Per produced tensor and channel: its readers through all views, as (position of the node or name of the output,
    read by lane number)."""
    identity = {graph.input.name: View(np.array([[0, c] for c in range(graph.input.shape[0])]), 0)}
    names = [graph.input.name]
    found: dict[tuple[int, int], list[tuple]] = {}

    def reads(name: str, reader: tuple) -> None:
        for source, channel in identity[name].channels:
            found.setdefault((int(source), int(channel)), []).append(reader)

    for position, node in enumerate(graph.nodes):
        if is_view(node):
            identity[node.output] = apply_view(node, [identity[name] for name in node.inputs])
            continue
        for index, name in enumerate(node.inputs):
            reads(name, (position, isinstance(node, DeformConv) and index == 1))
        channels = graph.tensors[node.output].shape[0]
        identity[node.output] = View(np.array([[len(names), c] for c in range(channels)]), 0)
        names.append(node.output)
    for name in graph.outputs.values():
        reads(name, (name, False))
    return {
        name: [tuple(found.get((i, c), ())) for c in range(len(identity[name].channels))]
        for i, name in enumerate(names)
    }
