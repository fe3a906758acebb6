# SPDX-License-Identifier: Apache-2.0
"""Where planes live while the program runs: at home in the scratchpad as long as they fit, otherwise in DRAM."""

from __future__ import annotations

from codesign.graph.ir import Graph
from codesign.plan.buffers import Buffer
from codesign.plan.groups import Group
from codesign.plan.memory import Allocator
from codesign.plan.steps import Give, Home, Release, Step, Take
from codesign.plan.views import Layout
from codesign.program.config import AcceleratorConfig


class Scratchpad:
    """Contents of the scratchpad at a point of the program: planes at home and buffers under keys."""

    def __init__(self, layout: Layout, last_use: dict[int, int], words: int):
        self._layout, self._last_use = layout, last_use
        self.memory = Allocator(words)
        self.homes: dict[int, Buffer] = {}
        self.buffers: dict[tuple, dict[int, Buffer]] = {}

    def copy(self) -> Scratchpad:
        twin = Scratchpad(self._layout, self._last_use, 0)
        twin.memory = self.memory.copy()
        twin.homes, twin.buffers = dict(self.homes), dict(self.buffers)
        return twin

    def apply(self, step: Step) -> None:
        """What ``step`` does to the scratchpad's map; raises `NoRoom`."""
        match step:
            case Take():
                starts = self.memory.take_many(len(step.planes), step.plane_words, step.low)
                self.buffers[step.key] = {
                    p: Buffer(start, step.row0, step.row1, step.width, step.ring)
                    for p, start in zip(step.planes, starts, strict=True)
                }
            case Give():
                for buffer in self.buffers.pop(step.key).values():
                    self.memory.give(buffer.base)
            case Home():
                shape = self._layout.planes[step.planes[0]]
                starts = self.memory.take_many(len(step.planes), shape.height * shape.width, low=True)
                for p, start in zip(step.planes, starts, strict=True):
                    self.homes[p] = Buffer(start, 0, shape.height, shape.width)
            case Release():
                for p in [p for p in self.homes if self._last_use.get(p, -1) <= step.index]:
                    self.evict(p)

    def evict(self, plane: int) -> None:
        """Free a plane's home."""
        self.memory.give(self.homes.pop(plane).base)


class Residency:
    """Which planes have a home, and DRAM addresses of the others (bytes, relative to the data region)."""

    def __init__(self, graph: Graph, layout: Layout, groups: list[Group], config: AcceleratorConfig):
        self._graph, self._layout, self._config = graph, layout, config
        self.dram_bytes = 0
        self._dram: dict[int, int] = {}
        self.last_use, self._uses = _uses(layout, groups)
        self._outputs = {p for name in graph.outputs.values() for p in layout.views[name].planes}
        self.scratchpad = Scratchpad(layout, self.last_use, config.spad_words)

    def spilled(self) -> frozenset[int]:
        """Planes that a reader must load from DRAM."""
        return frozenset(p for p in self._dram if p not in self.scratchpad.homes)

    def home_choices(self, tensor: str, index: int, promised: frozenset[int]) -> list[tuple[int, ...]]:
        """Sets of planes that a new tensor of group ``index`` may be given homes for, best first.

        Planes already begun or ``promised`` a home keep their place; outputs of the network go to DRAM. Planes read
        soonest come first.
        """
        planes = self._layout.views[tensor].planes
        placed = self._dram.keys() | self.scratchpad.homes.keys() | self._outputs | promised
        new = [p for p in planes if p not in placed]
        new.sort(key=lambda p: (self.next_use(p, index), p))
        counts = sorted({len(new) * i // 6 for i in range(7)}, reverse=True)
        return [tuple(sorted(new[:n])) for n in counts]

    def next_use(self, plane: int, index: int) -> int:
        """Number of the first group after ``index`` that reads the plane."""
        return next((i for i in self._uses.get(plane, ()) if i > index), len(self._uses) + index)

    def plane_address(self, plane: int) -> int:
        """DRAM byte address of a plane, allotted when first asked for."""
        if plane not in self._dram:
            shape = self._layout.planes[plane]
            self._dram[plane] = self.dram_take(shape.height * shape.width * self._config.word_bytes)
        return self._dram[plane]

    def dram_take(self, size: int) -> int:
        """``size`` bytes of DRAM at a multiple of 128."""
        start = self.dram_bytes
        self.dram_bytes = -(-(start + size) // 128) * 128
        return start

    def to_spill(self, group: Group, index: int, keep: frozenset[int], inputs: bool) -> int | None:
        """The plane at home that is read last, to be moved to DRAM: none of ``keep``, the group's own inputs only if
        ``inputs``. None when there is none."""
        used = {p for node in group.nodes for name in node.inputs for p in self._planes(name)}
        own = set(self._layout.views[group.nodes[-1].output].planes)
        movable = [
            p for p in self.scratchpad.homes if p not in own and p not in keep and (inputs or p not in used)
        ]
        return max(movable, key=lambda p: (self.next_use(p, index - 1), p), default=None)

    def _planes(self, name: str) -> tuple[int, ...]:
        return self._layout.views[name].planes


def _uses(layout: Layout, groups: list[Group]) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Plane → number of the last group that reads it, or makes it where none reads it (channels that no slice names): until
    then it needs its place; plane → numbers of all readers."""
    uses: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    for index, group in enumerate(groups):
        last |= {p: index for node in group.nodes for p in layout.views[node.output].planes}
        for node in group.nodes:
            for name in node.inputs:
                for p in layout.views[name].planes:
                    uses.setdefault(p, []).append(index)
    return last | {p: max(found[-1], last.get(p, -1)) for p, found in uses.items()}, uses
