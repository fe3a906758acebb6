# SPDX-License-Identifier: Apache-2.0
"""The growing program: instructions with their tokens, and transfers between DRAM and scratchpad."""

from __future__ import annotations

from dataclasses import dataclass, field

from codesign.graph.ir import Graph
from codesign.plan.buffers import Buffer
from codesign.plan.params import ParamImage
from codesign.plan.tokens import Access, TokenTracker
from codesign.plan.views import Layout
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, Written


@dataclass
class Emitter:
    """Collects instructions, their parameters and their tokens."""

    config: AcceleratorConfig
    graph: Graph
    layout: Layout
    params: ParamImage
    instructions: list[Instruction] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tracker = TokenTracker(isa.MAX_ENGINES, self.config.spad_words)

    def halt(self) -> None:
        self.instructions.append(Instruction(isa.Opcode.HALT, {"engine": 0}, ""))

    def load(self, node: str, address: int, buffer: Buffer) -> None:
        """DRAM rows [row0, row1) of a plane at byte ``address`` into ``buffer``."""
        self._transfer(isa.Opcode.LOAD, node, address, buffer, buffer.row0, buffer.row1, {})

    def store(
        self, node: str, address: int, buffer: Buffer, first: int, stop: int, lanes: int | None = None
    ) -> None:
        """Rows [first, stop) of ``buffer`` to the plane at byte ``address``; only the lanes whose bit is set in ``lanes``."""
        mask = (1 << self.config.lanes) - 1 if lanes is None else lanes
        self._transfer(isa.Opcode.STORE, node, address, buffer, first, stop, {"lane_mask": mask})

    def _transfer(
        self, opcode: isa.Opcode, node: str, address: int, buffer: Buffer, first: int, stop: int, more: dict[str, int]
    ) -> None:  # fmt: skip
        word, loading = self.config.word_bytes, opcode == isa.Opcode.LOAD
        start = address // word + first * buffer.width
        values = {
            "engine": int(isa.Engine.LOAD if loading else isa.Engine.STORE),
            "dram_addr": start * word,
            "dram_stride": buffer.width * word,
            "spad_addr": buffer.address(first),
            "spad_stride": buffer.width,
            "rows": 1,  # whole rows lie one after the other on both sides: one run, longest bursts
            "row_words": (stop - first) * buffer.width,
        } | more
        dram = Access("dram", start, start + (stop - first) * buffer.width, not loading)
        self.append(opcode, values, node, [dram, *buffer.accesses(first, stop, loading)], None)

    def append(
        self, opcode: isa.Opcode, values: dict[str, int], node: str, accesses: list[Access], written: Written | None
    ) -> None:  # fmt: skip
        """One instruction; its waits follow from ``accesses``."""
        waits = self._tracker.waits(values["engine"], accesses)
        values = values | {f"wait{i}": w for i, w in enumerate(waits)}
        self.instructions.append(Instruction(opcode, values, node, written))

    def zero(self, tensor: str) -> int:
        """The code of a tensor's real zero."""
        return self.graph.tensors.get(tensor, self.graph.input).zero_point

    def logical(self, tensor: str) -> tuple[int, int]:
        """Height and width of a tensor."""
        return self.graph.tensors.get(tensor, self.graph.input).shape[1:]
