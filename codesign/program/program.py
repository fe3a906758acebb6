# SPDX-License-Identifier: Apache-2.0
"""A planned network: instructions, parameters and the memory map around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.program import isa
from codesign.program.config import AcceleratorConfig


@dataclass(frozen=True)
class Written:
    """What one pointwise or depthwise instruction writes, in raster order: rows × cols words of a plane.

    ``plane`` is the plane's index, -1 for an intermediate that is no tensor (the stem's windows). Lanes ``lane0`` to
    ``lane0 + lanes`` of each word are meant; row and column are the plane's own.
    """

    plane: int
    row: int
    col: int
    rows: int
    cols: int
    lane0: int
    lanes: int


@dataclass(frozen=True, eq=False)
class Instruction:
    """One instruction before encoding: ``values`` are field values of its layout; ``node`` is the graph node it works for."""

    opcode: isa.Opcode
    values: dict[str, int]
    node: str
    written: Written | None = None

    @property
    def engine(self) -> int:
        return self.values["engine"]

    def encode(self) -> bytes:
        return isa.encode(self.opcode, self.values)


@dataclass(frozen=True, eq=False)
class PlaneTensor:
    """A tensor in DRAM: ``planes`` are byte addresses of H × W words; ``channels`` (C, 2) are (index into planes, lane).

    With ``up`` = 1 the planes are stored at half the height and width (nearest ×2).
    """

    name: str
    shape: tuple[int, int, int]
    scale: float
    zero_point: int
    planes: tuple[int, ...]
    channels: np.ndarray
    up: int = 0

    def read(self, memory: np.ndarray, lanes: int) -> np.ndarray:
        """int8 codes (C, H, W) out of a uint8 memory image."""
        height, width = self.shape[1] >> self.up, self.shape[2] >> self.up
        size = height * width * lanes
        stacked = np.stack(
            [memory[a : a + size].view(np.int8).reshape(height, width, lanes) for a in self.planes]
        )
        codes = stacked[self.channels[:, 0], :, :, self.channels[:, 1]]
        return codes.repeat(1 + self.up, axis=1).repeat(1 + self.up, axis=2)

    def write(self, memory: np.ndarray, codes: np.ndarray, lanes: int) -> None:
        """Put int8 codes (C, H, W) into a uint8 memory image."""
        _, height, width = self.shape
        size = height * width * lanes
        for index, address in enumerate(self.planes):
            words = memory[address : address + size].view(np.int8).reshape(height, width, lanes)
            for channel in np.flatnonzero(self.channels[:, 0] == index):
                words[:, :, self.channels[channel, 1]] = codes[channel]


@dataclass(frozen=True, eq=False)
class Program:
    """Everything the device needs for a frame. Addresses are bytes relative to BASE.

    ``image`` is where the host writes H·W·4 bytes (R, G, B, unused), or None when ``inputs`` holds a planar tensor instead.
    ``content`` is the read-only part of DRAM (program, then parameters) from address 0; ``dram_bytes`` the whole.
    """

    config: AcceleratorConfig
    instructions: tuple[Instruction, ...]
    content: np.ndarray
    params_address: int
    image: tuple[int, int, int] | None  # address, height, width
    inputs: PlaneTensor | None
    outputs: dict[str, PlaneTensor]
    dram_bytes: int

    @property
    def writable(self) -> tuple[int, int]:
        """First byte that the program's stores may write, and the one behind the last: all but program and parameters."""
        return self.content.size, self.dram_bytes

    def write_input(self, memory: np.ndarray, codes: np.ndarray) -> None:
        """Put the input's int8 codes (C, H, W) where the program expects them: as an image, or as planes."""
        if self.image is None:
            assert self.inputs is not None
            self.inputs.write(memory, codes, self.config.lanes)
            return
        address, height, width = self.image
        pixels = memory[address : address + height * width * 4].reshape(height, width, 4)
        pixels[:, :, :3] = codes.transpose(1, 2, 0).view(np.uint8) ^ 0x80
        pixels[:, :, 3] = 0
