# SPDX-License-Identifier: Apache-2.0
"""Instructions of the pointwise array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Conv
from codesign.numeric import WEIGHT_MAX, WEIGHT_MIN
from codesign.plan.buffers import ADDRESSES, Buffer
from codesign.plan.emit import Emitter
from codesign.plan.geometry import input_rows
from codesign.plan.params import requant_bytes, weight_bytes
from codesign.plan.views import View
from codesign.program import isa
from codesign.program.program import Written


@dataclass(frozen=True)
class Place:
    """Array outputs that go to one block of a plane: ``channels`` (array_out,), -1 where there is none."""

    plane: int
    group: int
    channels: tuple[int, ...]

    @property
    def mask(self) -> int:
        return sum(1 << i for i, c in enumerate(self.channels) if c >= 0)


@dataclass(frozen=True)
class Job:
    """A convolution over a region of output rows [row, stop) and columns [col, col_stop)."""

    node: Conv
    view: View
    sources: dict[int, Buffer]
    targets: dict[int, Buffer]
    row: int
    stop: int
    col: int
    col_stop: int

    @property
    def pixels(self) -> int:
        return (self.stop - self.row) * (self.col_stop - self.col)


class PointwiseEmitter:
    """From "these rows of a convolution, from and to these buffers" to array instructions."""

    def __init__(self, emitter: Emitter):
        self._emitter, self._config, self._layout = emitter, emitter.config, emitter.layout
        self._params = emitter.params

    def run(
        self, node: Conv, view: View, sources: dict[int, Buffer], targets: dict[int, Buffer], rows: tuple[int, int], parts: int = 1
    ) -> None:  # fmt: skip
        """Output channels of ``node`` that live in the planes ``targets``, rows [start, stop).

        ``parts``: input planes that become ready one after the other are taken in so many turns where the accumulators
        can hold the sums of several blocks.
        """
        target = next(iter(targets.values()))
        chunk = max(1, self._config.acc_depth // target.width)
        cols = min(target.width, self._config.acc_depth)
        passes = self._passes(node.output, list(targets))
        for first, last in target.pieces(*rows):
            for row in range(first, last, chunk):
                for col in range(0, target.width, cols):
                    stop, col_stop = min(last, row + chunk), min(target.width, col + cols)
                    self._region(Job(node, view, sources, targets, row, stop, col, col_stop), passes, parts)

    def stem(self, node: Conv, source: Buffer, targets: dict[int, Buffer], rows: tuple[int, int]) -> None:
        """The stem as a 1×1 convolution over window words: lane 3·t + c is tap t, colour c."""
        taps = node.weight.transpose(0, 2, 3, 1).reshape(node.weight.shape[0], -1, 1, 1)
        lanes = np.stack([np.zeros(taps.shape[1], int), np.arange(taps.shape[1])], axis=1)
        flat = Conv(node.name, node.inputs, node.output, taps, node.weight_bits, node.requant)
        self.run(flat, View(lanes, 0), {0: source}, targets, rows)

    def _passes(self, tensor: str, planes: list[int]) -> list[list[Place]]:
        """What leaves the array together: places whose outputs do not meet are requantised from the same sums."""
        size = self._config.array_out
        passes: list[list[Place]] = []
        for plane in planes:
            lanes = self._layout.lane_channels(tensor, plane, self._config.lanes)
            for group in range(self._config.groups):
                place = Place(plane, group, tuple(int(c) for c in lanes[group * size : (group + 1) * size]))
                if place.mask:
                    fits = [p for p in passes if not any(other.mask & place.mask for other in p)]
                    fits[0].append(place) if fits else passes.append([place])
        return passes

    def _region(self, job: Job, passes: list[list[Place]], parts: int) -> None:
        together = max(1, self._config.acc_depth // job.pixels) if parts > 1 else 1
        for at in range(0, len(passes), together):
            block = passes[at : at + together]
            runs = _runs(job.sources, job.view.planes, parts if at == 0 and together > 1 else 1)
            for index, run in enumerate(runs):
                for number, places in enumerate(block):
                    base = number * job.pixels if together > 1 else 0
                    self._sum(job, places, run, base, index == 0, index == len(runs) - 1, (index, len(runs)))

    def _sum(
        self, job: Job, places: list[Place], run: list[int], base: int, first: bool, last: bool, part: tuple[int, int]
    ) -> None:  # fmt: skip
        """One pass over the planes ``run``; a finished sum is also written to the further ``places``."""
        channels = np.max([p.channels for p in places], axis=0)
        key = (job.node.name, tuple(places), part, tuple(run))
        blob = self._params.add(key, lambda: self._tiles(job, run, channels, last))
        self._append(job, places[0], run, blob, {"first": int(first), "last": int(last), "acc_base": base})
        for place in places[1:] if last else ():
            blob = self._params.add(
                (job.node.name, tuple(places), "again"), lambda: self._again(job, channels)
            )
            again = {"first": 0, "last": 1, "acc_base": base, "planes": 1, "kh": 1, "kw": 1, "w8": 0}
            self._append(job, place, run[:1], blob, again)

    def _append(
        self, job: Job, place: Place, run: list[int], blob: tuple[int, int], values: dict[str, int]
    ) -> None:
        node, view, target = job.node, job.view, job.targets[place.plane]
        height, width = self._emitter.logical(node.inputs[0])
        first = job.sources[run[0]]
        stride = (job.sources[run[1]].base - first.base) if len(run) > 1 else 0
        values = {
            "engine": int(isa.Engine.POINTWISE), "param_addr": blob[0], "param_beats": blob[1],
            "src": first.origin, "planes": len(run), "plane_stride": stride % ADDRESSES, "pitch": first.width,
            "rows": job.stop - job.row, "cols": job.col_stop - job.col,
            "y0": job.row * node.stride - node.pad, "x0": job.col * node.stride - node.pad, "in_h": height, "in_w": width,
            "stride": node.stride, "kh": node.weight.shape[2], "kw": node.weight.shape[3], "up": view.up,
            "z_in": self._emitter.zero(node.inputs[0]), "w8": int(node.weight_bits == 8),
            "dst": (target.address(job.row) + job.col) % ADDRESSES, "dst_pitch": target.width,
            "dst_group": place.group, "dst_mask": place.mask,
            "z_out": node.requant.zero_point, "lo": node.requant.lo, "hi": node.requant.hi,
        } | values  # fmt: skip
        need = input_rows(node, 0, job.row, job.stop, height, view.up)
        accesses = [a for p in run for a in job.sources[p].accesses(*need, False)]
        written = None
        if values["last"]:
            accesses += target.accesses(job.row, job.stop, True)
            written = Written(
                place.plane, job.row, job.col, job.stop - job.row, job.col_stop - job.col,
                place.group * self._config.array_out, len(place.channels),
            )  # fmt: skip
        self._emitter.append(isa.Opcode.POINTWISE, values, node.name, accesses, written)

    def _tiles(self, job: Job, run: list[int], channels: np.ndarray, last: bool) -> np.ndarray:
        """Requantisation (if ``last``), then per plane and tap an (array_out, lanes) tile."""
        node, view = job.node, job.view
        parts = [requant_bytes(node.requant, channels)] if last else []
        outs = np.flatnonzero(channels >= 0)
        for plane in run:
            members = np.flatnonzero(view.channels[:, 0] == plane)
            lanes = view.channels[members, 1]
            for ky in range(node.weight.shape[2]):
                for kx in range(node.weight.shape[3]):
                    tile = np.zeros((self._config.array_out, self._config.lanes), np.int16)
                    weights = node.weight[np.ix_(channels[outs], members)][:, :, ky, kx]
                    np.add.at(tile, np.ix_(outs, lanes), weights)  # a channel may be there twice
                    parts.append(weight_bytes(_fitting(node, tile), node.weight_bits))
        return np.concatenate(parts)

    def _again(self, job: Job, channels: np.ndarray) -> np.ndarray:
        """The same requantisation, and a tile of zeros that adds nothing to the sums."""
        tile = np.zeros((self._config.array_out, self._config.lanes), np.int8)
        return np.concatenate([requant_bytes(job.node.requant, channels), weight_bytes(tile, 4)])


def _fitting(node: Conv, tile: np.ndarray) -> np.ndarray:
    """int8 weights; only a channel concatenated with itself can leave their range."""
    bits = node.weight_bits
    if int(tile.min()) < WEIGHT_MIN[bits] or int(tile.max()) > WEIGHT_MAX[bits]:
        raise UserError(
            f"{node.name}: reads a channel twice, with weights whose sum is more than {bits} bits; "
            "read it once, or shrink the weights"
        )
    return tile.astype(np.int8)


def _runs(sources: dict[int, Buffer], planes: tuple[int, ...], parts: int) -> list[list[int]]:
    """Planes in runs of equal address distance and geometry, so that one instruction walks each run; at least ``parts``
    runs where there are planes enough."""
    most = max(1, -(-len(planes) // parts))
    runs: list[list[int]] = []
    for plane in planes:
        run = runs[-1] if runs else []
        buffer = sources[plane]
        if run and len(run) < most:
            before = sources[run[-1]]
            same = (before.row0, before.row1, before.width, before.ring) == (
                buffer.row0,
                buffer.row1,
                buffer.width,
                buffer.ring,
            )
            step = buffer.base - before.base
            if same and (len(run) == 1 or step == before.base - sources[run[-2]].base):
                run.append(plane)
                continue
        runs.append([plane])
    return runs
