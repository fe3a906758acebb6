# SPDX-License-Identifier: Apache-2.0
"""Where every channel of every tensor lives: (plane, lane). Views (split, concat, shuffle, ×2) move nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

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

VIEWS = (Slice, Concat, Shuffle, Upsample)


@dataclass(frozen=True)
class Plane:
    """One channel block of a produced tensor: ``height`` × ``width`` words. ``index`` counts all planes."""

    index: int
    tensor: str
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class View:
    """A tensor as the accelerator sees it.

    ``channels`` (C, 2) int: global plane index and lane of each channel. ``up`` is 1 when the planes are stored at
    half the tensor's height and width (nearest ×2 is address arithmetic).
    """

    channels: np.ndarray
    up: int

    @property
    def planes(self) -> tuple[int, ...]:
        """Planes that hold at least one channel, in ascending order."""
        return tuple(int(p) for p in np.unique(self.channels[:, 0]))


@dataclass(frozen=True)
class Layout:
    """Placement of a whole graph."""

    planes: tuple[Plane, ...]
    views: dict[str, View]
    image: bool  #: the input arrives as packed pixels and is gathered into windows; otherwise as planes


def is_view(node: Node) -> bool:
    return isinstance(node, VIEWS)


def apply_view(node: Node, inputs: list[View]) -> View:
    """The view a Slice, Concat, Shuffle or Upsample node makes of its inputs."""
    if isinstance(node, Slice):
        return replace(inputs[0], channels=inputs[0].channels[node.start : node.stop])
    if isinstance(node, Concat):
        if len({v.up for v in inputs}) > 1:
            raise UserError(
                f"{node.name}: concat of an upsampled and a plain tensor; upsample after the concat instead"
            )
        return View(np.concatenate([v.channels for v in inputs]), inputs[0].up)
    if isinstance(node, Shuffle):
        count = len(inputs[0].channels)
        order = np.arange(count).reshape(node.groups, count // node.groups).T.reshape(-1)
        return replace(inputs[0], channels=inputs[0].channels[order])
    if inputs[0].up:
        raise UserError(f"{node.name}: two upsamplings in a row; put a convolution between them")
    return replace(inputs[0], up=1)


def takes_image(graph: Graph, lanes: int) -> bool:
    """True when every reader of the input is a stem: a full convolution whose window of RGB pixels fits one word."""
    readers = [node for node in graph.nodes if graph.input.name in node.inputs]
    channels, _, width = graph.input.shape
    return (
        channels == 3
        and width % (lanes // 4) == 0
        and all(
            isinstance(node, Conv)
            and node.groups == 1
            and 3 * node.weight.shape[2] * node.weight.shape[3] <= lanes
            for node in readers
        )
    )


def place(graph: Graph, lanes: int) -> Layout:
    """Give every channel a plane and a lane.

    Channels of a convolution's output are free to lie anywhere: those with the same readers share planes, so that
    a later reader of half the channels (channel shuffle) reads few planes. Other operators keep lanes.
    """
    readers = _readers(graph)
    planes: list[Plane] = []
    image = takes_image(graph, lanes)

    def new_plane(tensor: str) -> int:
        _, height, width = graph.input.shape if tensor == graph.input.name else graph.tensors[tensor].shape
        planes.append(Plane(len(planes), tensor, height, width))
        return len(planes) - 1

    pixels = np.stack([np.full(graph.input.shape[0], -1), np.arange(graph.input.shape[0])], axis=1)
    views = {
        graph.input.name: View(pixels if image else _produce(graph.input.name, readers, lanes, new_plane), 0)
    }
    for node in graph.nodes:
        inputs = [views[name] for name in node.inputs]
        if is_view(node):
            views[node.output] = apply_view(node, inputs)
        elif isinstance(node, Conv) and node.groups == 1:
            views[node.output] = View(_produce(node.output, readers, lanes, new_plane), 0)
        elif isinstance(node, (Conv, DeformConv, MaxPool)):
            views[node.output] = _plane_for_plane(inputs[0], node.output, new_plane)
        else:
            assert isinstance(node, (Add, GlobalAveragePool)), node
            raise UserError(
                f"{node.name}: {type(node).__name__} is not executed by the accelerator yet; remove it or run on golden"
            )
    return Layout(tuple(planes), views, image)


def _produce(tensor: str, readers: dict[str, list[tuple[int, ...]]], lanes: int, new_plane) -> np.ndarray:
    slots = _cluster(readers[tensor], lanes)
    base = np.array([new_plane(tensor) for _ in range(int(slots[:, 0].max()) + 1)])
    return np.stack([base[slots[:, 0]], slots[:, 1]], axis=1)


def _plane_for_plane(view: View, tensor: str, new_plane) -> View:
    mapping = {plane: new_plane(tensor) for plane in view.planes}
    channels = view.channels.copy()
    channels[:, 0] = [mapping[int(p)] for p in view.channels[:, 0]]
    return View(channels, 0)


def _readers(graph: Graph) -> dict[str, list[tuple[int, ...]]]:
    """Per produced tensor and channel: the positions of the computing nodes that read it, through all views."""
    identity = {graph.input.name: View(np.array([[0, c] for c in range(graph.input.shape[0])]), 0)}
    names = [graph.input.name]
    found: dict[tuple[int, int], list[int]] = {}
    for position, node in enumerate(graph.nodes):
        inputs = [identity[name] for name in node.inputs]
        if is_view(node):
            identity[node.output] = apply_view(node, inputs)
            continue
        for view in inputs:
            for source, channel in view.channels:
                found.setdefault((int(source), int(channel)), []).append(position)
        channels = graph.tensors[node.output].shape[0]
        identity[node.output] = View(np.array([[len(names), c] for c in range(channels)]), 0)
        names.append(node.output)
    return {
        name: [tuple(found.get((i, c), ())) for c in range(graph.tensors[name].shape[0])]
        for i, name in enumerate(names)
    }


def _cluster(readers: list[tuple[int, ...]], lanes: int) -> np.ndarray:
    """(C, 2) plane and lane: channels sorted by readers; a set that would straddle starts a plane if that costs none."""
    order = sorted(range(len(readers)), key=lambda c: (readers[c], c))
    slots = np.zeros((len(readers), 2), int)
    at, previous = 0, None
    for position, channel in enumerate(order):
        if readers[channel] != previous:
            previous = readers[channel]
            size = sum(1 for c in order[position:] if readers[c] == previous)
            room = -at % lanes
            if size > room:
                at += room
        slots[channel] = divmod(at, lanes)
        at += 1
    if int(slots[:, 0].max()) + 1 > -(-len(readers) // lanes):
        for at, channel in enumerate(order):
            slots[channel] = divmod(at, lanes)
    return slots
