# SPDX-License-Identifier: Apache-2.0
"""Memory of one frame: program, weights, picture and outputs. A stream has two, so that one is filled while one runs."""

from __future__ import annotations

import numpy as np

from codesign.runtime.description import ROLES, Planes
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

    def restore(self) -> None:
        """Put program and weights where they belong, whatever became of them."""
        program, weights, at = self._package.program, self._package.weights, self._what.weights_address
        memory = self._buffer.array
        memory[: len(program)] = np.frombuffer(program, np.uint8)
        memory[at : at + len(weights)] = np.frombuffer(weights, np.uint8)
        self._buffer.flush(0, at + len(weights))

    def write(self, image: np.ndarray) -> None:
        """Put a picture, uint8 RGB (H, W, 3) of the network's size, where the program expects it. Else `FrameError`."""
        height, width = self._what.size
        given = getattr(image, "shape", None)
        if given != (height, width, 3) or getattr(image, "dtype", None) != np.uint8:
            kind = getattr(image, "dtype", type(image).__name__)
            raise FrameError(f"image of shape {given} and type {kind}; the network takes uint8 ({height}, {width}, 3)")
        if self._what.image is None:
            assert self._what.inputs is not None
            self._write_planes(self._what.inputs, image)
            return
        start, stop = self._what.image, self._what.image + 4 * height * width
        pixels = self._buffer.array[start:stop].reshape(height, width, 4)
        for colour in range(3):  # one long loop each; three bytes at a time take NumPy several times as long
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

    def read(self) -> dict[str, np.ndarray]:
        """int8 codes (C, H, W) of hm, wh and reg."""
        for start, stop in self._output_ranges():
            self._buffer.invalidate(start, stop)
        return {role: self._codes(self._what.outputs[role]) for role in ROLES}

    def _output_ranges(self) -> list[tuple[int, int]]:
        lanes = self._what.lanes
        return sorted({(a, a + t.words * lanes) for t in self._what.outputs.values() for a in t.planes})

    def _codes(self, tensor: Planes) -> np.ndarray:
        count, height, width = tensor.shape
        lanes, codes = self._what.lanes, np.empty((count, tensor.words), np.int8)
        for index, start in enumerate(tensor.planes):
            words = self._buffer.array[start : start + tensor.words * lanes].view(np.int8).reshape(-1, lanes)
            mine = [c for c, (plane, _) in enumerate(tensor.channels) if plane == index]
            for c in mine:
                codes[c] = words[:, tensor.channels[c][1]]
        stored = codes.reshape(count, height >> tensor.up, width >> tensor.up)
        return stored.repeat(1 + tensor.up, axis=1).repeat(1 + tensor.up, axis=2) if tensor.up else stored

    def free(self) -> None:
        """Give the memory back."""
        self._buffer.free()
