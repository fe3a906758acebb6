# SPDX-License-Identifier: Apache-2.0
"""How one group runs: its rows cut into strips, as a list of steps that can be tried against memory before it is emitted.

Two ways to keep the tensors inside a group: "whole" holds each of them entirely, every row computed once; "halo" holds a
strip at a time and computes the rows that two strips share twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign.graph.ir import Graph, Node
from codesign.plan.geometry import input_rows
from codesign.plan.groups import Group, is_pointwise
from codesign.plan.views import Layout

IMAGE = "<image>"  #: key of the packed input picture
WINDOW = "<window>"  #: key of the stem's gathered windows


@dataclass(frozen=True)
class Take:
    """Allocate ``planes`` × rows [row0, row1) × ``width`` words under ``key``."""

    key: tuple
    planes: tuple[int, ...]
    row0: int
    row1: int
    width: int

    @property
    def words(self) -> int:
        return len(self.planes) * (self.row1 - self.row0) * self.width


@dataclass(frozen=True)
class Give:
    """Free what ``key`` holds."""

    key: tuple


@dataclass(frozen=True)
class Fetch:
    """Load everything under ``key`` from DRAM."""

    key: tuple
    node: str


@dataclass(frozen=True)
class Keep:
    """Store rows [start, stop) of what ``key`` holds to DRAM."""

    key: tuple
    node: str
    start: int
    stop: int


@dataclass(frozen=True)
class Compute:
    """Run ``nodes`` (one, or an array node and its depthwise reader, interleaved plane by plane) on output rows
    ``rows[i]``. ``sources`` maps tensor names to keys of strip buffers; absent ones are resident."""

    nodes: tuple[Node, ...]
    rows: tuple[tuple[int, int], ...]
    sources: dict[str, tuple]
    targets: tuple[tuple, ...]


@dataclass(frozen=True)
class Shape:
    """A way to run a group: rows per strip, "whole" or "halo", output resident or not, inputs loaded a strip ahead."""

    rows: int
    halo: bool
    resident: bool
    ahead: bool = True


class StripPlanner:
    """Makes the step list of one group for a given `Shape`. ``in_dram`` says which planes must be loaded; ``part``
    restricts a group of one plane-wise node to some of its planes (positions)."""

    def __init__(
        self,
        graph: Graph,
        layout: Layout,
        group: Group,
        in_dram: frozenset[int],
        lanes: int,
        stem: bool,
        part: slice = slice(None),
    ):
        self._part = part
        self._graph, self._layout, self._group, self._dram = graph, layout, group, in_dram
        self._lanes, self._stem = lanes, stem
        self._out = group.nodes[-1].output
        self._height = graph.tensors[self._out].shape[1]

    def steps(self, shape: Shape) -> list:
        """Steps in emission order: allocations, loads, computations, stores, frees."""
        self._shape = shape
        self._done: dict[str, int] = {}
        steps: list = []
        starts = list(range(0, self._height, shape.rows))
        needs = self._all_needs([(s, min(self._height, s + shape.rows)) for s in starts])
        if not shape.halo:
            steps += [
                self._take_rows(name, (name,), 0, self._stored(name)[0]) for name in self._inner_names()
            ]
        depth = max(self._group.stages)
        ahead = int(shape.ahead)
        for slot in range(-ahead, len(starts) + depth):
            if slot + ahead < len(starts):
                steps += self._loads(slot + ahead, needs[slot + ahead])
            for stage in range(depth + 1):
                if 0 <= slot - stage < len(starts):
                    steps += self._stage(stage, slot - stage, needs[slot - stage])
        if not shape.halo:
            steps += [Give((name,)) for name in self._inner_names()]
        return steps

    def _inner_names(self) -> list[str]:
        names = [node.output for node in self._group.nodes[:-1]]
        return ([WINDOW] if self._stem else []) + names

    def _all_needs(self, strips: list[tuple[int, int]]) -> list[dict[str, tuple[int, int]]]:
        """Per strip, the rows of every tensor. Rows that no reader wants (stride > kernel) belong to a strip all the same:
        every value of the network is computed and compared."""
        plain = [self._needs(*strip, {}) for strip in strips]
        inside = self._group.internal
        ends = [{name: needs[name][0] for name in inside} for needs in plain[1:]]
        ends.append({name: self._stored(name)[0] for name in inside})
        return [self._needs(*strip, end) for strip, end in zip(strips, ends, strict=True)]

    def _needs(self, start: int, stop: int, ends: dict[str, int]) -> dict[str, tuple[int, int]]:
        """Stored rows of every tensor that output rows [start, stop) of the group need (outputs included); tensors
        inside the group at least up to row ``ends``."""
        needs = {self._out: (start, stop)}
        for node in reversed(self._group.nodes):
            first, last = needs[node.output]
            rows = needs[node.output] = (0 if start == 0 else first, max(last, ends.get(node.output, 0)))
            for index, name in enumerate(node.inputs):
                _, height, up = self._input(name)
                first, last = input_rows(node, index, *rows, height, up)
                old = needs.get(name, (first, last))
                needs[name] = (min(old[0], first), max(old[1], last))
        if self._stem:
            needs[WINDOW] = needs[self._group.nodes[0].output]
        return needs

    def _input(self, name: str) -> tuple[tuple[int, ...], int, int]:
        """(planes, logical height, up)."""
        if name == self._graph.input.name and self._layout.image:
            return (), self._graph.input.shape[1], 0
        view = self._layout.views[name]
        tensor = self._graph.tensors.get(name, self._graph.input)
        return view.planes, tensor.shape[1], view.up

    def _stored(self, name: str) -> tuple[int, int]:
        """Stored (height, width) of a produced tensor, or of the windows."""
        if name == WINDOW:
            name = self._group.nodes[0].output
        return self._graph.tensors[name].shape[1:]

    def _take_rows(self, name: str, key: tuple, first: int, stop: int) -> Take:
        planes = (-1,) if name == WINDOW else self._layout.views[name].planes[self._part]
        return Take(key, planes, first, stop, self._stored(name)[1])

    def _loads(self, strip: int, needs: dict[str, tuple[int, int]]) -> list:
        """Strip buffers of the inputs that are in DRAM."""
        steps: list = []
        user = self._group.nodes[0]
        if self._stem:
            key = (IMAGE, strip)
            width = self._graph.input.shape[2] // (self._lanes // 4)
            return [Take(key, (-1,), *needs[self._graph.input.name], width), Fetch(key, user.name)]
        for name in self._externals():
            planes = self._loaded(name)
            if planes:
                key = (name, strip)
                width = self._layout.planes[planes[0]].width
                steps += [Take(key, planes, *needs[name], width), Fetch(key, user.name)]
        return steps

    def _loaded(self, name: str) -> tuple[int, ...]:
        """Planes of an input that strips must load; of the data input of a part, that part's only."""
        part = self._part if name == self._group.nodes[0].inputs[0] else slice(None)
        return tuple(p for p in self._layout.views[name].planes[part] if p in self._dram)

    def _externals(self) -> list[str]:
        inside = self._group.internal
        names = [name for node in self._group.nodes for name in node.inputs if name not in inside]
        return list(dict.fromkeys(names))

    def _stage(self, stage: int, strip: int, needs: dict[str, tuple[int, int]]) -> list:
        steps: list = []
        if self._stem and stage == 0:
            steps += self._produce(WINDOW, strip, needs)
            rows = self._new_rows(WINDOW, needs)
            node = self._group.nodes[0]
            target = self._key(WINDOW, strip)
            steps.append(Compute((node,), (rows,), {IMAGE: (IMAGE, strip)}, (target,)))
            return [*steps, Give((IMAGE, strip))]
        nodes = [n for n, s in zip(self._group.nodes, self._group.stages, strict=True) if s == stage]
        for node in nodes:
            steps += self._produce(node.output, strip, needs)
        for chunk in _interleaved(nodes):
            rows = tuple(self._new_rows(n.output, needs) for n in chunk)
            sources = {name: key for n in chunk for name, key in self._sources(n, strip).items()}
            targets = tuple(self._key(n.output, strip) for n in chunk)
            if all(first < stop for first, stop in rows):
                steps.append(Compute(tuple(chunk), rows, sources, targets))
            else:
                steps += [
                    Compute((n,), (r,), sources, (t,))
                    for n, r, t in zip(chunk, rows, targets, strict=True)
                    if r[0] < r[1]
                ]
        if nodes[-1].output == self._out and not self._shape.resident:
            key = self._key(self._out, strip)
            steps += [Keep(key, nodes[-1].name, *needs[self._out]), Give(key)]
        return steps + self._frees(nodes, stage, strip)

    def _produce(self, name: str, strip: int, needs: dict[str, tuple[int, int]]) -> list:
        """The buffer a node's rows of this strip go to, unless one for all strips exists."""
        inner = name != self._out
        if (inner and not self._shape.halo) or (not inner and self._shape.resident):
            return []
        return [self._take_rows(name, self._key(name, strip), *needs[name])]

    def _key(self, name: str, strip: int) -> tuple:
        if name == self._out:
            return (name,) if self._shape.resident else (name, strip)
        return (name, strip) if self._shape.halo else (name,)

    def _new_rows(self, name: str, needs: dict[str, tuple[int, int]]) -> tuple[int, int]:
        first, stop = needs[name]
        if self._shape.halo or name == self._out:
            return first, stop
        first = max(first, self._done.get(name, 0)) if name in self._done else 0
        self._done[name] = max(stop, first)
        return first, max(stop, first)

    def _sources(self, node: Node, strip: int) -> dict[str, tuple]:
        """Keys of the buffers that hold this node's inputs, where those are not resident."""
        found: dict[str, tuple] = {}
        for name in node.inputs:
            if name in self._group.internal:
                found[name] = self._key(name, strip)
            elif self._stem:
                found[WINDOW] = self._key(WINDOW, strip)
            elif self._loaded(name):
                found[name] = (name, strip)
        return found

    def _frees(self, nodes: list[Node], stage: int, strip: int) -> list:
        """Inputs whose last reader in the group has just been issued."""
        steps: list = []
        read = {name for n in nodes for name in n.inputs}
        if self._stem and stage == 1 and self._shape.halo:
            steps.append(Give((WINDOW, strip)))
        later = {
            name
            for n, s in zip(self._group.nodes, self._group.stages, strict=True)
            if s > stage
            for name in n.inputs
        }
        for name in read - later:
            if name in self._group.internal:
                if self._shape.halo:
                    steps.append(Give((name, strip)))
            elif not self._stem and self._loaded(name):
                steps.append(Give((name, strip)))
        return sorted(steps, key=lambda s: str(s.key))


def _interleaved(nodes: list[Node]) -> list[list[Node]]:
    """Pairs (array node, plane-wise reader of its output) that are issued plane by plane; others alone."""
    chunks: list[list[Node]] = []
    for node in nodes:
        pair = chunks and is_pointwise(chunks[-1][-1]) and not is_pointwise(node)
        if pair and node.inputs[0] == chunks[-1][-1].output:
            chunks[-1].append(node)
        else:
            chunks.append([node])
    return chunks


def shapes(height: int, width: int, resident: bool) -> list[Shape]:
    """Shapes worth trying, best first: every row once, in a few strips of at least 128 pixels; then ever smaller ones."""
    good = min(height, max(-(-128 // width), -(-height // 4)))
    rows = sorted({max(1, good >> i) for i in range(8)}, reverse=True)
    whole = [Shape(r, False, resident) for r in rows]
    large = sorted({max(1, -(-height // n)) for n in range(1, height + 1)}, reverse=True)
    found = whole + [Shape(r, True, resident) for r in large]
    return found + [Shape(1, True, resident, False)]
