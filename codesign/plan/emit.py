# SPDX-License-Identifier: Apache-2.0
"""From "this node, these rows, these buffers" to instructions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from codesign.graph.ir import Conv, DeformConv, Graph, MaxPool, Node
from codesign.plan.buffers import ADDRESSES, Buffer
from codesign.plan.geometry import geometry, input_rows
from codesign.plan.params import ParamImage, requant_bytes, weight_bytes
from codesign.plan.tokens import Access, TokenTracker
from codesign.plan.views import Layout, View
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, Written


@dataclass
class Rows:
    """A rectangle of output rows [start, stop) and what it reads: logical input rows are derived per tap."""

    start: int
    stop: int


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
        self._transfer(isa.Opcode.LOAD, node, address, buffer, buffer.row0, buffer.row1)

    def store(self, node: str, address: int, buffer: Buffer, first: int, stop: int) -> None:
        """Rows [first, stop) of ``buffer`` to the plane at byte ``address``."""
        self._transfer(isa.Opcode.STORE, node, address, buffer, first, stop)

    def _transfer(
        self, opcode: isa.Opcode, node: str, address: int, buffer: Buffer, first: int, stop: int
    ) -> None:
        word, loading = self.config.word_bytes, opcode == isa.Opcode.LOAD
        start = address // word + first * buffer.width
        values = {
            "engine": int(isa.Engine.LOAD if loading else isa.Engine.STORE),
            "dram_addr": start * word,
            "dram_stride": buffer.width * word,
            "spad_addr": buffer.base + (first - buffer.row0) * buffer.width,
            "spad_stride": buffer.width,
            "rows": 1,  # whole rows lie one after the other on both sides: one run, longest bursts
            "row_words": (stop - first) * buffer.width,
            "lane_mask": (1 << self.config.lanes) - 1,
        }
        dram = Access("dram", start, start + (stop - first) * buffer.width, not loading)
        self._append(opcode, values, node, [dram, buffer.access(first, stop, loading)], None)

    def pointwise(
        self, node: Conv, view: View, sources: dict[int, Buffer], plane: int, target: Buffer, rows: Rows
    ) -> None:
        """All output channels of ``node`` that live in ``plane``, rows [start, stop)."""
        width = self.layout.planes[plane].width
        chunk = max(1, self.config.acc_depth // width)
        cols = min(width, self.config.acc_depth)
        out_channels = self._lane_channels(node.output, plane)
        for row in range(rows.start, rows.stop, chunk):
            stop = min(rows.stop, row + chunk)
            for col in range(0, width, cols):
                region = (row, stop, col, min(width, col + cols))
                for group in range(self.config.groups):
                    size = self.config.array_out
                    lanes = out_channels[group * size : (group + 1) * size]
                    if (lanes >= 0).any():
                        self._pointwise_group(node, view, sources, plane, target, region, group, lanes)

    def _pointwise_group(self, node, view, sources, plane, target, region, group, channels) -> None:
        row, stop, col, col_stop = region
        runs = _runs(sources, view.planes)
        kernel = node.weight.shape[2]
        height, width = _logical(self.graph, node.inputs[0])
        used = np.flatnonzero(channels >= 0)
        mask = sum(1 << int(i) for i in used)
        for index, run in enumerate(runs):
            last = index == len(runs) - 1
            address, beats = self.params.add(
                (node.name, plane, group, index, tuple(run)),
                lambda run=run, last=last: self._tiles(node, view, run, channels, last),
            )
            first = sources[run[0]]
            stride = (sources[run[1]].base - first.base) if len(run) > 1 else 0
            values = {
                "engine": int(isa.Engine.POINTWISE), "param_addr": address, "param_beats": beats,
                "src": first.origin, "planes": len(run), "plane_stride": stride % ADDRESSES, "pitch": first.width,
                "rows": stop - row, "cols": col_stop - col,
                "y0": row * node.stride - node.pad, "x0": col * node.stride - node.pad, "in_h": height, "in_w": width,
                "stride": node.stride, "kh": kernel, "kw": node.weight.shape[3], "up": view.up,
                "z_in": self._zero(node.inputs[0]), "w8": int(node.weight_bits == 8), "first": int(index == 0), "last": int(last),
                "dst": (target.origin + row * target.width + col) % ADDRESSES, "dst_pitch": target.width,
                "dst_group": group, "dst_mask": mask,
                "z_out": node.requant.zero_point, "lo": node.requant.lo, "hi": node.requant.hi,
            }  # fmt: skip
            need = input_rows(node, 0, row, stop, height, view.up)
            accesses = [sources[p].access(*need, False) for p in run]
            written = None
            if last:
                accesses.append(target.access(row, stop, True))
                lane0 = group * self.config.array_out
                written = Written(plane, row, col, stop - row, col_stop - col, lane0, len(channels))
            self._append(isa.Opcode.POINTWISE, values, node.name, accesses, written)

    def _tiles(self, node: Conv, view: View, run: list[int], channels: np.ndarray, last: bool) -> np.ndarray:
        """Requantisation (if ``last``), then per plane and tap an (array_out, lanes) tile."""
        parts = [requant_bytes(node.requant, channels)] if last else []
        outs = np.flatnonzero(channels >= 0)
        for plane in run:
            members = np.flatnonzero(view.channels[:, 0] == plane)
            lanes = view.channels[members, 1]
            for ky in range(node.weight.shape[2]):
                for kx in range(node.weight.shape[3]):
                    tile = np.zeros((self.config.array_out, self.config.lanes), np.int8)
                    tile[np.ix_(outs, lanes)] = node.weight[np.ix_(channels[outs], members)][:, :, ky, kx]
                    parts.append(weight_bytes(tile, node.weight_bits))
        return np.concatenate(parts)

    def stem(self, node: Conv, source: Buffer, plane: int, target: Buffer, rows: Rows) -> None:
        """The stem as a 1×1 convolution over window words: lane 3·t + c is tap t, colour c."""
        taps = node.weight.transpose(0, 2, 3, 1).reshape(node.weight.shape[0], -1, 1, 1)
        lanes = np.stack([np.zeros(taps.shape[1], int), np.arange(taps.shape[1])], axis=1)
        flat = Conv(node.name, node.inputs, node.output, taps, node.weight_bits, node.requant)
        self.pointwise(flat, View(lanes, 0), {0: source}, plane, target, rows)

    def window(self, node: Conv, image: Buffer, target: Buffer, start: int, stop: int) -> None:
        """Gather the stem's windows of output rows [start, stop); ``image`` rows are packed pixels."""
        _, height, width = self.graph.input.shape
        values = self._gather_values(node, image, target, height, width, 0)
        values |= {"mode": int(isa.Mode.WINDOW), "z_in": self.graph.input.zero_point}
        reads = lambda a, b: [image.access(*input_rows(node, 0, a, b, height, 0), False)]  # noqa: E731
        self._split(node, node.name, values, target, start, stop, reads, -1, 0)

    def gather(self, node: Node, view: View, plane_in: int, sources: dict[int, Buffer], offsets: Buffer | None, plane: int,
               target: Buffer, rows: Rows, turn: int) -> None:  # fmt: skip
        """A depthwise convolution, deformable or not, or a max-pool, of one plane. ``turn`` spreads planes over units."""
        height, width = _logical(self.graph, node.inputs[0])
        source = sources[plane_in]
        values = self._gather_values(node, source, target, height, width, view.up)
        values["z_in"] = self._zero(node.inputs[0])
        if isinstance(node, MaxPool):
            values["mode"] = int(isa.Mode.MAX)
        else:
            address, beats = self.params.add((node.name, plane), lambda: self._depthwise_params(node, plane))
            values |= {
                "mode": int(isa.Mode.MAC), "param_addr": address, "param_beats": beats, "w8": int(node.weight_bits == 8),
                "z_out": node.requant.zero_point, "lo": node.requant.lo, "hi": node.requant.hi,
            }  # fmt: skip
        if offsets is not None:
            values |= {
                "deform": int(isa.Deform.SQUARE if node.form == "square" else isa.Deform.PAIRS),
                "off_src": offsets.origin, "off_pitch": offsets.width,
            }  # fmt: skip

        def reads(first: int, stop: int) -> list[Access]:
            accesses = [source.access(*input_rows(node, 0, first, stop, height, view.up), False)]
            return accesses + ([offsets.access(first, stop, False)] if offsets is not None else [])

        self._split(node, node.name, values, target, rows.start, rows.stop, reads, plane, turn)

    def _gather_values(
        self, node: Node, source: Buffer, target: Buffer, height: int, width: int, up: int
    ) -> dict[str, int]:
        kernel, stride, pad = geometry(node)
        return {
            "src": source.origin, "pitch": source.width, "cols": target.width, "x0": -pad, "in_h": height, "in_w": width,
            "stride": stride, "kh": kernel[0], "kw": kernel[1], "up": up, "dst_pitch": target.width,
        }  # fmt: skip

    def _split(self, node, name, values, target, start, stop, reads, plane, turn) -> None:
        """Rows over the units; a small plane goes whole to one of them, in turns."""
        _, stride, pad = geometry(node)
        units = self.config.depthwise_units
        whole = plane >= 0 and turn >= 0 and (stop - start) * target.width <= 128
        parts = 1 if whole else min(units, stop - start)
        edges = [start + (stop - start) * i // parts for i in range(parts + 1)]
        for part in range(parts):
            first, end = edges[part], edges[part + 1]
            unit = turn % units if whole else part
            mine = values | {
                "engine": int(isa.Engine.DEPTHWISE) + unit, "rows": end - first, "y0": first * stride - pad,
                "dst": (target.origin + first * target.width) % ADDRESSES,
            }  # fmt: skip
            if "off_src" in mine:
                mine["off_src"] = (mine["off_src"] + first * mine["off_pitch"]) % ADDRESSES
            written = Written(plane, first, 0, end - first, target.width, 0, self.config.lanes)
            accesses = [*reads(first, end), target.access(first, end, True)]
            self._append(isa.Opcode.DEPTHWISE, mine, name, accesses, written)

    def _depthwise_params(self, node: Conv | DeformConv, plane: int) -> np.ndarray:
        channels = self._lane_channels(node.output, plane)
        used = np.flatnonzero(channels >= 0)
        kernel = node.weight.shape[2:]
        parts = [requant_bytes(node.requant, channels)]
        for ky in range(kernel[0]):
            for kx in range(kernel[1]):
                row = np.zeros(self.config.lanes, np.int8)
                row[used] = node.weight[channels[used], 0, ky, kx]
                parts.append(weight_bytes(row, node.weight_bits))
        return np.concatenate(parts)

    def _lane_channels(self, tensor: str, plane: int) -> np.ndarray:
        """(lanes,) channel that lives in each lane of ``plane``, -1 for none."""
        channels = np.full(self.config.lanes, -1)
        view = self.layout.views[tensor]
        members = np.flatnonzero(view.channels[:, 0] == plane)
        channels[view.channels[members, 1]] = members
        return channels

    def _zero(self, tensor: str) -> int:
        return (
            self.graph.tensors[tensor].zero_point
            if tensor in self.graph.tensors
            else self.graph.input.zero_point
        )

    def _append(self, opcode, values, node, accesses, written) -> None:
        waits = self._tracker.waits(values["engine"], accesses)
        values = values | {f"wait{i}": w for i, w in enumerate(waits)}
        self.instructions.append(Instruction(opcode, values, node, written))


def _logical(graph: Graph, tensor: str) -> tuple[int, int]:
    shape = graph.tensors[tensor].shape if tensor in graph.tensors else graph.input.shape
    return shape[1], shape[2]


def _runs(sources: dict[int, Buffer], planes: tuple[int, ...]) -> list[list[int]]:
    """Planes in runs of equal address distance and geometry, so that one instruction walks each run."""
    runs: list[list[int]] = []
    for plane in planes:
        run = runs[-1] if runs else []
        buffer = sources[plane]
        if run:
            before = sources[run[-1]]
            same = (before.row0, before.row1, before.width) == (buffer.row0, buffer.row1, buffer.width)
            step = buffer.base - before.base
            if same and (len(run) == 1 or step == before.base - sources[run[-2]].base):
                run.append(plane)
                continue
        runs.append([plane])
    return runs
