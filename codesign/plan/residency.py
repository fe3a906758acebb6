# SPDX-License-Identifier: Apache-2.0
"""Where whole maps live while the program runs: in the scratchpad as long as they fit, otherwise in DRAM."""

from __future__ import annotations

from collections.abc import Callable

from codesign.graph.ir import Graph
from codesign.plan.buffers import Buffer
from codesign.plan.groups import Group
from codesign.plan.memory import Allocator
from codesign.plan.views import Layout
from codesign.program.config import AcceleratorConfig

Store = Callable[[str, int, Buffer], None]  #: (layer, DRAM byte address, buffer): store a whole map


class Residency:
    """Scratchpad allocator, resident planes and DRAM addresses (bytes, relative to the data region)."""

    def __init__(self, graph: Graph, layout: Layout, groups: list[Group], config: AcceleratorConfig):
        self._graph, self._layout, self._config = graph, layout, config
        self.memory = Allocator(config.spad_words)
        self.planes: dict[int, Buffer] = {}  #: plane -> its whole map in the scratchpad
        self.dram_bytes = 0
        self._blocks: dict[str, int] = {}  # tensor -> start of its resident block
        self._dram: dict[int, int] = {}
        self._last_use = _last_uses(layout, groups)

    def holds(self, tensor: str) -> bool:
        """Whether the tensor has a block in the scratchpad."""
        return tensor in self._blocks

    def spilled(self) -> frozenset[int]:
        """Planes that a reader must load from DRAM."""
        return frozenset(p for p in self._dram if p not in self.planes)

    def words(self, tensor: str) -> int:
        """Scratchpad words of the whole tensor."""
        _, height, width = self._graph.tensors[tensor].shape
        return len(self._layout.views[tensor].planes) * height * width

    def homes(self, tensor: str) -> tuple[bool, ...]:
        """Whether a new tensor may live in the scratchpad, best choice first; one already begun keeps its home.

        Outputs of the network go to DRAM; a map must leave a quarter of the scratchpad for later strips.
        """
        if self.holds(tensor):
            return (True,)
        planes = set(self._layout.views[tensor].planes)
        if planes & self._dram.keys():
            return (False,)
        if any(planes & set(self._layout.views[name].planes) for name in self._graph.outputs.values()):
            return (False,)
        fits = self.memory.free_words - self.words(tensor) >= self._config.spad_words // 4
        return (True, False) if fits else (False,)

    def make_resident(self, tensor: str) -> None:
        """Give the whole tensor a block of the scratchpad; raises `NoRoom`."""
        height, width = self._graph.tensors[tensor].shape[1:]
        start = self.memory.take_low(self.words(tensor))
        self._blocks[tensor] = start
        for i, p in enumerate(self._layout.views[tensor].planes):
            self.planes[p] = Buffer(start + i * height * width, 0, height, width)

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

    def release(self, index: int) -> None:
        """Free the maps that no group after number ``index`` reads."""
        for tensor in list(self._blocks):
            if self._last_reader(tensor) <= index:
                self._free(tensor)

    def spill_one(self, group: Group, inputs: bool, store: Store) -> bool:
        """Move the resident map with the last reader farthest away to DRAM; the group's own inputs only if ``inputs``.

        False when nothing is left to move.
        """
        used = {p for node in group.nodes for name in node.inputs for p in self._layout.views[name].planes}
        own = {node.output for node in group.nodes}
        movable = [
            t
            for t in self._blocks
            if t not in own and (inputs or not used & set(self._layout.views[t].planes))
        ]
        if not movable:
            return False
        tensor = max(movable, key=self._last_reader)
        for p in self._layout.views[tensor].planes:
            store(tensor, self.plane_address(p), self.planes[p])
        self._free(tensor)
        return True

    def _last_reader(self, tensor: str) -> int:
        return max(self._last_use.get(p, -1) for p in self._layout.views[tensor].planes)

    def _free(self, tensor: str) -> None:
        self.memory.give(self._blocks.pop(tensor))
        for p in self._layout.views[tensor].planes:
            self.planes.pop(p, None)


def _last_uses(layout: Layout, groups: list[Group]) -> dict[int, int]:
    """Plane → number of the last group that reads it."""
    last: dict[int, int] = {}
    for index, group in enumerate(groups):
        for node in group.nodes:
            for name in node.inputs:
                for p in layout.views[name].planes:
                    last[p] = index
    return last
