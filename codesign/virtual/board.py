# SPDX-License-Identifier: Apache-2.0
"""A board in simulation: registers and memory of the Verilated accelerator, as strict as hardware may be.

Processor and accelerator see different bytes until a flush or an invalidate, as with a cache that is not coherent.
Time is the accelerator's own: nothing moves but in `pause` and during register accesses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.boards import Board
from codesign.runtime.device import Buffer
from codesign.runtime.faults import DriverError
from sim.device import ALIGN, SimulatedDevice

BASE = 0x1000_0000  #: where the memory begins, as on a board somewhere inside the address space
MEMORY_BYTES = 256 << 20  #: taken from the computer as it is used


class VirtualBuffer(Buffer):
    """Memory of a virtual board; its array is the processor's cached view."""

    def __init__(self, board: VirtualBoard, start: int, size: int):
        super().__init__(board.simulated.base + start, np.zeros(size, np.uint8))
        self._board, self._start, self._size = board, start, size
        self._memory()[:] = 0

    def _memory(self) -> np.ndarray:
        return self._board.simulated.buffer[self._start : self._start + self._size]

    def _flush(self, part: np.ndarray, start: int, stop: int) -> None:
        self._memory()[start:stop] = part

    def _invalidate(self, part: np.ndarray, start: int, stop: int) -> None:
        part[:] = self._memory()[start:stop]

    def _free(self) -> None:
        self._board.release(self._start)


class VirtualBoard:
    """The accelerator in the Verilated ``library`` of ``board``'s configuration, with its DRAM: a `Device`.

    ``stall`` and ``seed`` as in `sim.device.SimulatedDevice`; ``simulated`` is that device, for its monitors.
    """

    def __init__(self, library: Path, board: Board, stall: float = 0.0, seed: int = 0, memory_bytes: int = MEMORY_BYTES):
        self.board = board
        self.simulated = SimulatedDevice(
            library, board.accelerator, board.dram, memory_bytes, BASE, stall=stall, seed=seed, record=()
        )
        self._hertz = board.clock_mhz * 1e6
        self._taken: dict[int, int] = {}  # start -> end

    def register_read(self, offset: int) -> int:
        return self.simulated.register_read(offset)

    def register_write(self, offset: int, value: int) -> None:
        self.simulated.register_write(offset, value)

    def allocate(self, size: int) -> Buffer:
        """The lowest free memory of that size; `DriverError` where there is none."""
        at = 0
        for start in sorted(self._taken):
            if start - at >= size:
                break
            at = self._taken[start]
        end = at + -(-size // ALIGN) * ALIGN
        if size <= 0 or end > self.simulated.buffer.size:
            raise DriverError(f"{size} bytes of memory are not free on the virtual board; close other detectors")
        self._taken[at] = end
        return VirtualBuffer(self, at, size)

    def release(self, start: int) -> None:
        """The buffer that begins there is free again."""
        del self._taken[start]

    def now(self) -> float:
        return self.simulated.cycle / self._hertz

    def pause(self, seconds: float) -> None:
        """Simulate that long, at least a cycle, or until the interrupt."""
        self.simulated.advance(max(1, round(seconds * self._hertz)))

    def close(self) -> None:
        self.simulated.close()
