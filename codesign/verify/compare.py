# SPDX-License-Identifier: Apache-2.0
"""Every tensor of the graph against golden, from the scratchpad writes that the monitors recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import Graph
from codesign.plan import Plan
from codesign.plan.views import View
from codesign.program.program import Instruction, Written
from codesign.verify.frame import Frame


@dataclass(frozen=True)
class Difference:
    """The first value, in program order, that is not golden's. ``got`` is None for a value that was never written."""

    layer: str
    tensor: str
    channel: int
    y: int
    x: int
    got: int | None
    want: int

    def __str__(self) -> str:
        got = "nothing" if self.got is None else str(self.got)
        return (
            f"first difference in layer {self.layer}, tensor {self.tensor}, channel {self.channel}, "
            f"y {self.y}, x {self.x}: got {got}, want {self.want}"
        )


@dataclass(frozen=True)
class Comparison:
    """``values`` compared over ``tensors`` tensors, ``mismatches`` of them different (per tensor in ``by_tensor``)."""

    tensors: int
    values: int
    mismatches: int
    by_tensor: dict[str, int]
    first: Difference | None


def compare(plan: Plan, graph: Graph, golden: dict[str, np.ndarray], frame: Frame) -> Comparison:
    """Compare one frame. ``golden`` maps tensor names to int8 (C, H, W).

    Produced tensors come from the monitors, view tensors (slice, concat, shuffle, ×2) from the planes they name, the
    network's outputs also from DRAM. A value recomputed for a neighbouring strip must agree each time it is written.
    """
    planes = _Planes(plan, golden)
    if plan.program.inputs is not None:
        planes.given(plan.layout.views[graph.input.name])
    for engine, writes in frame.writes.items():
        planes.observe(engine, writes)
    first = planes.first
    by_tensor: dict[str, int] = {}
    for name in graph.tensors:
        if name == graph.input.name:
            by_tensor[name] = _input_mismatches(plan, frame.memory, golden[name])
            continue
        view = plan.layout.views[name]
        bad = planes.wrong(view)
        by_tensor[name] = int(bad.sum())
        if bad.any() and first is None:
            first = planes.missing(name, view, bad, golden)
    for output in plan.program.outputs.values():
        got, want = output.read(frame.memory, plan.program.config.lanes), golden[output.name]
        bad = got != want
        by_tensor[output.name] += int(bad.sum())
        if bad.any() and first is None:
            c, y, x = (int(i) for i in np.argwhere(bad)[0])
            first = Difference("store", output.name, c, y, x, int(got[c, y, x]), int(want[c, y, x]))
    values = sum(t.values for t in graph.tensors.values())
    return Comparison(len(graph.tensors), values, sum(by_tensor.values()), by_tensor, first)


def _input_mismatches(plan: Plan, memory: np.ndarray, want: np.ndarray) -> int:
    program = plan.program
    if program.image is None:
        return int((program.inputs.read(memory, program.config.lanes) != want).sum())
    address, height, width = program.image
    pixels = memory[address : address + 4 * height * width].reshape(height, width, 4)[:, :, :3] ^ 0x80
    return int((pixels.view(np.int8).transpose(2, 0, 1) != want).sum())


class _Planes:
    """Golden values arranged as the accelerator's planes, with a flag per word lane: written, and always right."""

    def __init__(self, plan: Plan, golden: dict[str, np.ndarray]):
        self._plan = plan
        lanes = plan.program.config.lanes
        planes = plan.layout.planes
        self._want = [np.zeros((p.height, p.width, lanes), np.int8) for p in planes]
        self._owner: list[dict[int, tuple[str, int]]] = [{} for _ in planes]  # lane -> tensor and channel
        for name in plan.layout.produced:
            if name not in golden:  # a copy that the planner made; what reads it is compared
                continue
            for channel, (plane, lane) in enumerate(plan.layout.views[name].channels):
                self._want[plane][:, :, lane] = golden[name][channel]
                self._owner[plane][int(lane)] = name, channel
        self._used = [np.array([lane in owner for lane in range(lanes)]) for owner in self._owner]
        self._right = [np.zeros(w.shape, bool) for w in self._want]
        self._wrong = [np.zeros(w.shape, bool) for w in self._want]
        self._first_at: tuple[int, Difference] | None = None

    @property
    def first(self) -> Difference | None:
        return self._first_at[1] if self._first_at else None

    def given(self, view: View) -> None:
        """Planes that the host wrote (a planar input, compared in DRAM): no engine writes them."""
        for plane in view.planes:
            self._right[plane][:] = True

    def observe(self, engine: int, writes: np.ndarray) -> None:
        """Walk an engine's recorded writes instruction by instruction."""
        at = 0
        for index, instruction in enumerate(self._plan.program.instructions):
            if instruction.engine != engine or instruction.written is None:
                continue
            count = instruction.written.rows * instruction.written.cols
            if instruction.written.plane >= 0:
                self._check(index, instruction, writes[at : at + count])
            at += count

    def _check(self, index: int, instruction: Instruction, writes: np.ndarray) -> None:
        w = instruction.written
        assert w is not None
        lanes = slice(w.lane0, w.lane0 + w.lanes)
        area = (slice(w.row, w.row + w.rows), slice(w.col, w.col + w.cols), lanes)
        got = np.zeros((w.rows * w.cols, w.lanes), np.int8)
        got[: len(writes)] = writes["data"][:, lanes]
        placed = np.zeros(w.rows * w.cols, bool)
        placed[: len(writes)] = writes["addr"] == addresses(instruction)[: len(writes)]
        masks = np.zeros((w.rows * w.cols, w.lanes), bool)
        masks[: len(writes)] = (writes["mask"][:, None] >> np.arange(w.lane0, w.lane0 + w.lanes)) & 1
        good = (placed[:, None] & masks).reshape(w.rows, w.cols, w.lanes)
        shaped = got.reshape(w.rows, w.cols, w.lanes)
        right = good & (shaped == self._want[w.plane][area])
        self._right[w.plane][area] |= right
        bad = ~right & self._meant(instruction, w)
        self._wrong[w.plane][area] |= bad
        if bad.any() and (self._first_at is None or index < self._first_at[0]):
            self._first_at = (index, self._difference(instruction, w, bad, shaped, good))

    def _meant(self, instruction: Instruction, w: Written) -> np.ndarray:
        """Which of the written lanes hold channels: those the array's mask names, or all of a depthwise unit's."""
        used = self._used[w.plane][w.lane0 : w.lane0 + w.lanes]
        mask = instruction.values.get("dst_mask", -1)
        return used & np.array([bool(mask >> i & 1) for i in range(w.lanes)])

    def _difference(
        self, instruction: Instruction, w: Written, bad: np.ndarray, got: np.ndarray, good: np.ndarray
    ) -> Difference:
        y, x, lane = (int(i) for i in np.argwhere(bad)[0])
        tensor, channel = self._owner[w.plane][w.lane0 + lane]
        want = int(self._want[w.plane][w.row + y, w.col + x, w.lane0 + lane])
        seen = int(got[y, x, lane]) if good[y, x, lane] else None
        return Difference(instruction.node, tensor, channel, w.row + y, w.col + x, seen, want)

    def wrong(self, view: View) -> np.ndarray:
        """(C, H, W) flags: never written right, or once written wrong."""
        flags = [(self._wrong[p][:, :, lane] | ~self._right[p][:, :, lane]) for p, lane in view.channels]
        bad = np.stack(flags)
        return bad.repeat(1 + view.up, axis=1).repeat(1 + view.up, axis=2)

    def missing(self, name: str, view: View, bad: np.ndarray, golden: dict[str, np.ndarray]) -> Difference:
        """A value of ``name`` that no instruction wrote."""
        c, y, x = (int(i) for i in np.argwhere(bad)[0])
        plane, lane = (int(i) for i in view.channels[c])
        tensor, _ = self._owner[plane][lane]
        return Difference(tensor, name, c, y, x, None, int(golden[name][c, y, x]))


def addresses(instruction: Instruction) -> np.ndarray:
    """Scratchpad addresses (rows * cols,) of what an instruction writes, in order."""
    v = instruction.values
    rows, cols = np.mgrid[0 : v["rows"], 0 : v["cols"]]
    return ((v["dst"] + rows * v["dst_pitch"] + cols) % (1 << 16)).reshape(-1)
