# SPDX-License-Identifier: Apache-2.0
"""Memory of one frame: program, weights, picture and outputs. A stream has two, so that one is filled while one runs."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from codesign.runtime.description import Planes
from codesign.runtime.device import Device
from codesign.runtime.faults import FrameError
from codesign.runtime.package import Package


class Slot:
    """One frame's memory on ``device``; the program is in it from the start."""

    def __init__(self, device: Device, package: Package):
        self._package, self._what = package, package.description
        self._buffer = device.allocate(self._what.memory_bytes)
        self.restore()

    @property
    def address(self) -> int:
        """Where the memory lies, as the accelerator sees it."""
        return self._buffer.address

    @property
    def writable(self) -> tuple[int, int]:
        """First byte that the accelerator may write, and the one behind the last: behind the weights."""
        return self._what.weights_address + len(self._package.weights), self._what.memory_bytes

    def intact(self) -> bool:
        """Whether program and weights in memory are the package's."""
        program, weights, at = self._package.program, self._package.weights, self._what.weights_address
        self._buffer.invalidate(0, at + len(weights))
        memory = self._buffer.array
        parts = ((memory[: len(program)], program), (memory[at : at + len(weights)], weights))
        return all(np.array_equal(part, np.frombuffer(data, np.uint8)) for part, data in parts)

    def restore(self) -> None:
        """Put program and weights where they belong, whatever became of them."""
        program, weights, at = self._package.program, self._package.weights, self._what.weights_address
        memory = self._buffer.array
        memory[: len(program)] = np.frombuffer(program, np.uint8)
        memory[at : at + len(weights)] = np.frombuffer(weights, np.uint8)
        self._buffer.flush(0, at + len(weights))

    def write(self, image: np.ndarray) -> None:
        """Put a picture of the network's size where the program expects it. Else `FrameError`.

        uint8 RGB (H, W, 3); or (H, W, 4), whose fourth byte is ignored, which is one copy without a stride.
        """
        height, width = self._what.size
        given = getattr(image, "shape", None)
        if given not in ((height, width, 3), (height, width, 4)) or getattr(image, "dtype", None) != np.uint8:
            kind = getattr(image, "dtype", type(image).__name__)
            raise FrameError(f"image of shape {given} and type {kind}; the network takes uint8 ({height}, {width}, 3)")
        if self._what.image is None:
            assert self._what.inputs is not None
            self._write_planes(self._what.inputs, image)
            return
        start, stop = self._what.image, self._what.image + 4 * height * width
        pixels = self._buffer.array[start:stop].reshape(height, width, 4)
        if image.shape[2] == 4:
            pixels[:] = image
        for colour in range(0 if image.shape[2] == 4 else 3):  # one long loop each; three bytes at a time take NumPy several times as long
            pixels[:, :, colour] = image[:, :, colour]
        self._buffer.flush(start, stop)

    def _write_planes(self, inputs: Planes, image: np.ndarray) -> None:
        size = inputs.words * self._what.lanes
        for colour, (plane, lane) in enumerate(inputs.channels):
            start = inputs.planes[plane]
            words = self._buffer.array[start : start + size].reshape(*self._what.size, self._what.lanes)
            words[:, :, lane] = image[:, :, colour] ^ np.uint8(0x80)
        for start in inputs.planes:
            self._buffer.flush(start, start + size)

    def heat(self) -> np.ndarray:
        """int8 codes (C, H, W) of hm, out of memory; all outputs are up to date afterwards."""
        for start, stop in self._output_ranges():
            self._buffer.invalidate(start, stop)
        return self._codes(self._what.outputs["hm"])

    def code_at(self, role: str, channel: int, cells: np.ndarray) -> np.ndarray:
        """int8 codes of one channel at ``cells`` (y * width + x), after `heat`."""
        tensor = self._what.outputs[role]
        plane, lane = tensor.channels[channel]
        if tensor.up:
            y, x = np.divmod(cells, tensor.shape[2])
            cells = (y >> 1) * (tensor.shape[2] >> 1) + (x >> 1)
        return self._words(tensor, plane)[:, lane][cells]

    def _output_ranges(self) -> list[tuple[int, int]]:
        lanes = self._what.lanes
        return sorted({(a, a + t.words * lanes) for t in self._what.outputs.values() for a in t.planes})

    def _words(self, tensor: Planes, plane: int) -> np.ndarray:
        """int8 [words, lanes] of a plane."""
        start, lanes = tensor.planes[plane], self._what.lanes
        return self._buffer.array[start : start + tensor.words * lanes].view(np.int8).reshape(-1, lanes)

    def _codes(self, tensor: Planes) -> np.ndarray:
        count, height, width = tensor.shape
        codes = np.empty((count, tensor.words), np.int8)
        for first, stop, plane, lane in _runs(tensor.channels):
            codes[first:stop] = self._words(tensor, plane)[:, lane : lane + stop - first].T
        stored = codes.reshape(count, height >> tensor.up, width >> tensor.up)
        return stored.repeat(1 + tensor.up, axis=1).repeat(1 + tensor.up, axis=2) if tensor.up else stored

    def free(self) -> None:
        """Give the memory back."""
        self._buffer.free()


def _runs(channels: Sequence[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Channels that lie in neighbouring lanes of a plane: first channel, one behind the last, plane, first lane."""
    runs: list[tuple[int, int, int, int]] = []
    for channel, (plane, lane) in enumerate(channels):
        if runs and (plane, lane) == (runs[-1][2], runs[-1][3] + channel - runs[-1][0]):
            runs[-1] = (runs[-1][0], channel + 1, plane, runs[-1][3])
        else:
            runs.append((channel, channel + 1, plane, lane))
    return runs
