# SPDX-License-Identifier: Apache-2.0
"""Steps to instructions: looks up the buffers that a step names and hands them to the emitters."""

from __future__ import annotations

from collections import Counter

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Add, DeformConv, Graph, Node
from codesign.plan.buffers import Buffer
from codesign.plan.emit import Emitter
from codesign.plan.emit_gather import GatherEmitter, offset_plane
from codesign.plan.emit_pointwise import PointwiseEmitter
from codesign.plan.operators import is_pointwise
from codesign.plan.residency import Residency
from codesign.plan.steps import IMAGE, WINDOW, Compute, Fetch, Keep, Step
from codesign.plan.views import Layout, View

PARTS = 4  #: turns in which a layer takes input planes that have just been gathered


class Performer:
    """Executes steps on the scratchpad's map and emits what they do."""

    def __init__(
        self, graph: Graph, layout: Layout, emitter: Emitter, homes: Residency, image_address: int | None
    ):
        self._graph, self._layout, self._emitter, self._homes = graph, layout, emitter, homes
        self._image_address = image_address
        self._pointwise, self._gather = PointwiseEmitter(emitter), GatherEmitter(emitter)
        self._fresh: set[str] = set()  # tensors whose last rows have just been gathered
        made = (p for node in graph.nodes if is_pointwise(node) for p in layout.views[node.output].planes)
        self._makers = Counter(made)  # array layers that write a plane

    def run(self, slot: list[Step]) -> None:
        """The steps of one slot, in order."""
        for step in slot:
            self._homes.scratchpad.apply(step)
            match step:
                case Fetch():
                    self._fetch(step)
                case Keep():
                    self._keep(step)
                case Compute():
                    self._compute(step)

    def _fetch(self, step: Fetch) -> None:
        for p, buffer in self._homes.scratchpad.buffers[step.key].items():
            address = self._image_address if step.key[0] == IMAGE else self._homes.plane_address(p)
            self._emitter.load(step.node, address, buffer)

    def _keep(self, step: Keep) -> None:
        view = self._layout.views[step.tensor]
        for p, buffer in self._homes.scratchpad.buffers[step.key].items():
            lanes = None
            if self._makers[p] > 1:
                lanes = sum(1 << int(lane) for q, lane in view.channels if q == p)
            address = self._homes.plane_address(p)
            self._emitter.store(step.node, address, buffer, step.start, step.stop, lanes)

    def _compute(self, step: Compute) -> None:
        node, rows = step.nodes[0], step.rows[0]
        targets = {} if IMAGE in step.sources else self._targets(node.output, step.targets[0])
        if IMAGE in step.sources:
            buffers = self._homes.scratchpad.buffers
            self._gather.window(node, buffers[step.sources[IMAGE]][-1], buffers[step.targets[0]][-1], *rows)
        elif WINDOW in step.sources:
            source = self._homes.scratchpad.buffers[step.sources[WINDOW]][-1]
            self._with_reader(step, targets, lambda some: self._pointwise.stem(node, source, some, rows))
        elif is_pointwise(node):
            view, sources = self._inputs(node.inputs[0], step)
            parts = PARTS if node.inputs[0] in self._fresh else 1
            self._with_reader(
                step, targets, lambda some: self._pointwise.run(node, view, sources, some, rows, parts)
            )
        else:
            sources = {p: buffer for name in node.inputs for p, buffer in self._inputs(name, step)[1].items()}
            planes = [p for p in targets if step.planes is None or p in step.planes]
            self._gathered(node, rows, step, sources, targets, planes)

    def _with_reader(self, step: Compute, targets: dict[int, Buffer], make) -> None:
        """The array layer; a plane-wise reader issued with it follows plane by plane."""
        if len(step.nodes) == 1:
            make(targets)
            return
        node, reader = step.nodes
        outputs = self._targets(reader.output, step.targets[1])
        for plane, target in targets.items():
            make({plane: target})
            output = self._twin(node.output, reader.output, plane)
            self._gathered(reader, step.rows[1], step, {plane: target}, outputs, [output])

    def _gathered(
        self, node: Node, rows, step: Compute, sources: dict[int, Buffer], targets: dict[int, Buffer], planes: list[int],
    ) -> None:  # fmt: skip
        views, offsets = [self._layout.views[name] for name in node.inputs], None
        if isinstance(node, DeformConv):
            offset_view, offset_sources = self._inputs(node.inputs[1], step)
            offsets = offset_sources[offset_plane(node, offset_view)]
        units, order = self._emitter.config.depthwise_units, list(targets)
        for plane in planes:
            given = [sources[self._twin(node.output, name, plane)] for name in node.inputs[: 2 if isinstance(node, Add) else 1]]
            whole = order.index(plane) < len(order) // units * units
            if isinstance(node, Add):
                self._gather.add(node, views, given, plane, targets[plane], rows)
            else:
                self._gather.run(node, views[0], given[0], offsets, plane, targets[plane], rows, whole)
        self._fresh = {node.output}

    def _twin(self, tensor: str, other: str, plane: int) -> int:
        """The plane of ``other`` that corresponds to ``plane`` of ``tensor``, for operators that keep lanes."""
        channel = np.flatnonzero(self._layout.views[tensor].channels[:, 0] == plane)[0]
        return int(self._layout.views[other].channels[channel, 0])

    def _buffers(self, tensor: str, key: tuple) -> dict[int, Buffer]:
        """A tensor's planes: in the buffer ``key``, if there is one, or at home."""
        here = {**self._homes.scratchpad.homes, **self._homes.scratchpad.buffers.get(key, {})}
        return {p: here[p] for p in self._layout.views[tensor].planes if p in here}

    def _targets(self, tensor: str, key: tuple) -> dict[int, Buffer]:
        """As `_buffers`, for a tensor to be written: every plane has a place."""
        found = self._buffers(tensor, key)
        if len(found) != len(self._layout.views[tensor].planes):  # another policy keeps its maps elsewhere
            raise UserError(f"tensor {tensor}: this plan has no place for all its planes; enlarge the scratchpad (spad_words)")
        return found

    def _inputs(self, name: str, step: Compute) -> tuple[View, dict[int, Buffer]]:
        return self._layout.views[name], self._buffers(name, step.sources.get(name, ()))
