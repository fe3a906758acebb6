# SPDX-License-Identifier: Apache-2.0
"""Whole tensors out of the RTL, from the scratchpad writes that the monitors recorded; and where each value was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.diff.operands import MISSING
from codesign.graph.ir import Graph
from codesign.plan import Plan
from codesign.program.program import Instruction
from codesign.verify.compare import addresses
from codesign.verify.frame import Frame


@dataclass(frozen=True)
class Write:
    """Who wrote a value: instruction number, its engine's number, its layer, the clock cycle."""

    instruction: int
    engine: int
    node: str
    cycle: int


class RtlTensors:
    """``tensors``: int16 (C, H, W) by name, `MISSING` where never written. A value written twice counts as last written."""

    def __init__(self, plan: Plan, graph: Graph, frame: Frame, codes: np.ndarray):
        self._plan = plan
        lanes = plan.program.config.lanes
        self._planes = [np.full((p.height, p.width, lanes), MISSING, np.int16) for p in plan.layout.planes]
        self._writers: list[tuple[int, Instruction, np.ndarray]] = []
        if plan.program.inputs is not None:  # planes that the host wrote
            for code, (plane, lane) in zip(codes, plan.layout.views[graph.input.name].channels, strict=True):
                self._planes[int(plane)][:, :, int(lane)] = code
        for engine, writes in frame.writes.items():
            self._place(engine, writes)
        self.tensors = {graph.input.name: codes.astype(np.int16)}
        self.tensors |= {name: self._tensor(name) for name in graph.tensors if name != graph.input.name}

    def _place(self, engine: int, writes: np.ndarray) -> None:
        at = 0
        for index, instruction in enumerate(self._plan.program.instructions):
            w = instruction.written
            if instruction.engine != engine or w is None:
                continue
            count = w.rows * w.cols
            part, at = writes[at : at + count], at + count
            if w.plane < 0:
                continue
            self._writers.append((index, instruction, part))
            wanted = addresses(instruction)[: len(part)]
            plane, mask = self._planes[w.plane], self._mask(instruction)
            for number in np.flatnonzero(part["addr"] == wanted):
                y, x = divmod(int(number), w.cols)
                lanes = mask & ((part["mask"][number] >> np.arange(mask.size)) & 1).astype(bool)
                plane[w.row + y, w.col + x, lanes] = part["data"][number, lanes]

    def _mask(self, instruction: Instruction) -> np.ndarray:
        """Lanes of the word that the instruction means to write."""
        w = instruction.written
        assert w is not None
        mask = np.zeros(self._plan.program.config.lanes, bool)
        meant = instruction.values.get("dst_mask", -1)
        mask[w.lane0 : w.lane0 + w.lanes] = [bool(meant >> i & 1) for i in range(w.lanes)]
        return mask

    def _tensor(self, name: str) -> np.ndarray:
        view = self._plan.layout.views[name]
        codes = np.stack([self._planes[int(plane)][:, :, int(lane)] for plane, lane in view.channels])
        return codes.repeat(1 + view.up, axis=1).repeat(1 + view.up, axis=2)

    def write_of(self, tensor: str, channel: int, y: int, x: int) -> Write | None:
        """The last write of a value, if there was one."""
        view = self._plan.layout.views[tensor]
        plane, lane = (int(i) for i in view.channels[channel])
        row, col = y >> view.up, x >> view.up
        found = None
        for index, instruction, part in self._writers:
            w = instruction.written
            assert w is not None
            within = w.row <= row < w.row + w.rows and w.col <= col < w.col + w.cols
            if w.plane == plane and within and self._mask(instruction)[lane]:
                number = (row - w.row) * w.cols + col - w.col
                if number < len(part):
                    found = Write(index, instruction.engine, instruction.node, int(part["cycle"][number]))
        return found
