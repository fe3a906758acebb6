# SPDX-License-Identifier: Apache-2.0
"""Instructions of the depthwise units."""

from __future__ import annotations

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Add, Conv, DeformConv, MaxPool, Node, Requant
from codesign.plan.buffers import ADDRESSES, Buffer
from codesign.plan.emit import Emitter
from codesign.plan.geometry import geometry, input_rows
from codesign.plan.params import requant_bytes, weight_bytes
from codesign.plan.tokens import Access
from codesign.plan.views import View
from codesign.program import isa
from codesign.program.program import Written

LARGEST_SIDE = 7  #: of a kernel with a row of weights for each tap
LARGEST_SAME_SIDE = 31  #: of one whose taps all have the same weights
LARGEST_SAME_SUM = (1 << 13) - 1  #: of their weights: 21 bits, signed, hold 128 times as much
FEW_PIXELS = 128  #: a smaller plane is not shared out among the units: parameters would cost as much as taps


class GatherEmitter:
    """From "these rows of a plane-wise operator" to instructions of the units, each given to the least busy."""

    def __init__(self, emitter: Emitter):
        self._emitter, self._config = emitter, emitter.config
        self._work = [0] * self._config.depthwise_units  # cycles given to each unit so far

    def window(self, node: Conv, image: Buffer, target: Buffer, start: int, stop: int) -> None:
        """Gather the stem's windows of output rows [start, stop); ``image`` rows are packed pixels."""
        height, width = self._emitter.logical(node.inputs[0])
        values = self._values(node, image, target, height, width, 0)
        values |= {"mode": int(isa.Mode.WINDOW), "z_in": self._emitter.zero(node.inputs[0])}
        reads = lambda a, b: image.accesses(*input_rows(node, 0, a, b, height, 0), False)  # noqa: E731
        self._shared(node, values, target, start, stop, reads, -1)

    def run(
        self, node: Node, view: View, source: Buffer, offsets: Buffer | None, plane: int, target: Buffer,
        rows: tuple[int, int], whole: bool,
    ) -> None:  # fmt: skip
        """A depthwise convolution, deformable or not, or a max-pool, of one plane; ``whole``: on one unit."""
        height, width = self._emitter.logical(node.inputs[0])
        values = self._values(node, source, target, height, width, view.up)
        values["z_in"] = self._emitter.zero(node.inputs[0])
        if isinstance(node, MaxPool):
            values["mode"] = int(isa.Mode.MAX)
        else:
            address, beats = self._emitter.params.add((node.name, plane), lambda: self._params(node, plane))
            values |= {
                "mode": int(isa.Mode.MAC), "param_addr": address, "param_beats": beats, "w8": int(node.weight_bits == 8),
                "same": int(_same_taps(node)),
                "z_out": node.requant.zero_point, "lo": node.requant.lo, "hi": node.requant.hi,
            }  # fmt: skip
        if offsets is not None:
            values |= {
                "deform": int(isa.Deform.SQUARE if node.form == "square" else isa.Deform.PAIRS),
                "off_src": offsets.origin, "off_pitch": offsets.width,
            }  # fmt: skip

        def reads(first: int, stop: int) -> list[Access]:
            accesses = source.accesses(*input_rows(node, 0, first, stop, height, view.up), False)
            return accesses + (offsets.accesses(first, stop, False) if offsets is not None else [])

        if whole or (rows[1] - rows[0]) * target.width <= FEW_PIXELS:
            unit = min(range(len(self._work)), key=lambda u: (self._work[u], u))
            self._part(unit, node, values, target, *rows, reads, plane)
        else:
            self._shared(node, values, target, *rows, reads, plane)

    def add(
        self, node: Add, views: list[View], sources: list[Buffer], plane: int, target: Buffer, rows: tuple[int, int]
    ) -> None:  # fmt: skip
        """A plane of a sum of two maps, shared out among the units."""
        first, second = sources
        height, width = self._emitter.logical(node.inputs[0])
        address, beats = self._emitter.params.add(node.name, lambda: self._add_params(node))
        values = self._values(node, first, target, height, width, views[0].up) | {
            "mode": int(isa.Mode.ADD), "param_addr": address, "param_beats": beats,
            "off_src": second.origin, "off_pitch": second.width, "off_up": views[1].up,
            "z_out": node.zero_point, "lo": node.lo, "hi": node.hi,
        }  # fmt: skip

        def reads(start: int, stop: int) -> list[Access]:
            spans = [input_rows(node, i, start, stop, height, view.up) for i, view in enumerate(views)]
            return [a for source, span in zip(sources, spans, strict=True) for a in source.accesses(*span, False)]

        self._shared(node, values, target, *rows, reads, plane)

    def _values(
        self, node: Node, source: Buffer, target: Buffer, height: int, width: int, up: int
    ) -> dict[str, int]:
        kernel, stride, pad = geometry(node)
        return {
            "src": source.base if source.ring else source.origin, "ring": source.ring_bits, "pitch": source.width,
            "cols": target.width, "x0": -pad, "in_h": height, "in_w": width,
            "stride": stride, "kh": kernel[0], "kw": kernel[1], "up": up, "dst_pitch": target.width,
        }  # fmt: skip

    def _shared(self, node, values, target, start, stop, reads, plane) -> None:
        """Rows shared out among the units."""
        units = sorted(range(len(self._work)), key=lambda u: (self._work[u], u))
        parts = min(len(units), stop - start)
        edges = [start + (stop - start) * i // parts for i in range(parts + 1)]
        for unit, first, end in zip(units, edges[:-1], edges[1:], strict=False):
            self._part(unit, node, values, target, first, end, reads, plane)

    def _part(self, unit, node, values, target, first, end, reads, plane) -> None:
        _, stride, pad = geometry(node)
        mine = values | {
            "engine": int(isa.Engine.DEPTHWISE) + unit, "rows": end - first, "y0": first * stride - pad,
            "dst": target.address(first) % ADDRESSES,
        }  # fmt: skip
        if "deform" in mine:
            mine["off_src"] = (mine["off_src"] + first * mine["off_pitch"]) % ADDRESSES
        written = Written(plane, first, 0, end - first, target.width, 0, self._config.lanes)
        self._work[unit] += self._cycles(mine)
        accesses = [*reads(first, end), *target.accesses(first, end, True)]
        self._emitter.append(isa.Opcode.DEPTHWISE, mine, node.name, accesses, written)

    def _cycles(self, v: dict[str, int]) -> int:
        if v["mode"] == isa.Mode.ADD:
            return v["rows"] * v["cols"] * 2 * self._config.lanes // self._config.depthwise_requant + 40
        taps = v["kh"] * (1 if v["mode"] == isa.Mode.WINDOW else v["kw"]) * (1 + v.get("w8", 0))
        return v["rows"] * v["cols"] * (taps + (1 if v.get("deform") else 0)) + 40

    def _params(self, node: Conv | DeformConv, plane: int) -> np.ndarray:
        channels = self._emitter.layout.lane_channels(node.output, plane, self._config.lanes)
        used = np.flatnonzero(channels >= 0)
        kernel, same = node.weight.shape[2:], _same_taps(node)
        largest = LARGEST_SAME_SIDE if same else LARGEST_SIDE
        if max(kernel) > largest:
            raise UserError(
                f"{node.name}: a kernel of {kernel[0]}x{kernel[1]} on a depthwise unit; use sides of at most {largest}"
            )
        parts = [requant_bytes(node.requant, channels)]
        for ky in range(1 if same else kernel[0]):
            for kx in range(1 if same else kernel[1]):
                row = np.zeros(self._config.lanes, np.int8)
                row[used] = node.weight[channels[used], 0, ky, kx]
                parts.append(weight_bytes(row, node.weight_bits))
        return np.concatenate(parts)

    def _add_params(self, node: Add) -> np.ndarray:
        """Lanes 0 to ``depthwise_requant`` - 1 hold the first addend's multiplier, the next ones the second's."""
        lanes, count = self._config.lanes, self._config.depthwise_requant
        zeros = [self._emitter.zero(name) for name in node.inputs]
        bias = -sum(zero * m for zero, m in zip(zeros, node.multipliers, strict=True))
        multiplier = np.array([node.multipliers[lane // count % 2] for lane in range(lanes)])
        requant = Requant(multiplier, np.full(lanes, node.shift), np.full(lanes, bias), node.zero_point)
        return np.concatenate([requant_bytes(requant, np.arange(lanes)), weight_bytes(np.ones(lanes, np.int8), 4)])


def _same_taps(node: Conv | DeformConv) -> bool:
    """Whether one row of weights serves every tap: fewer parameters, and kernels of any size that the sums can hold."""
    flat = node.weight.reshape(node.weight.shape[0], -1)
    if isinstance(node, DeformConv) or flat.shape[1] == 1:
        return False
    return bool((flat == flat[:, :1]).all()) and int(np.abs(flat.astype(int)).sum(axis=1).max()) <= LARGEST_SAME_SUM


def offset_plane(node: DeformConv, view: View) -> int:
    """The plane of the offsets; the gather engine takes channel i from lane i."""
    expected = np.arange(len(view.channels))
    if view.up or len(view.planes) > 1 or (view.channels[:, 1] != expected).any():
        raise UserError(
            f"{node.name}: its {len(view.channels)} offset channels must be a convolution's whole output that fits one word; "
            "use the square form, or an accelerator with more lanes"
        )
    return view.planes[0]
