# SPDX-License-Identifier: Apache-2.0
"""Where a tensor's channels lie: (plane, lane). Views (split, concat, shuffle, ×2) move nothing; `placement` decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Concat, Graph, Node, Shuffle, Slice, Upsample
from codesign.plan.operators import is_pointwise

VIEWS = (Slice, Concat, Shuffle, Upsample)


@dataclass(frozen=True)
class Plane:
    """A map of ``height`` × ``width`` words, a lane for each channel, of one tensor or several. ``index`` counts all
    planes."""

    index: int
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

    @cached_property
    def planes(self) -> tuple[int, ...]:
        """Planes that hold at least one channel, in ascending order."""
        return tuple(int(p) for p in np.unique(self.channels[:, 0]))


@dataclass(frozen=True)
class Layout:
    """Placement of a whole graph."""

    planes: tuple[Plane, ...]
    views: dict[str, View]
    produced: tuple[
        str, ...
    ]  #: tensors that have lanes of their own: all but views, and the input if it has planes
    image: bool  #: the input arrives as packed pixels and is gathered into windows; otherwise as planes

    def lane_channels(self, tensor: str, plane: int, lanes: int) -> np.ndarray:
        """(lanes,) channel of ``tensor`` in each lane of ``plane``, -1 where there is none."""
        channels = np.full(lanes, -1)
        view = self.views[tensor]
        members = np.flatnonzero(view.channels[:, 0] == plane)
        channels[view.channels[members, 1]] = members
        return channels


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
            is_pointwise(node)
            and 3 * node.weight.shape[2] * node.weight.shape[3] <= lanes
            for node in readers
        )
    )
