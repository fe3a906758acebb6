# SPDX-License-Identifier: Apache-2.0
"""What the driver asks of an accelerator: registers, shared memory, time. Runs on Python 3.8.

`codesign.runtime.pynq` is a board, `codesign.virtual` the Verilated accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Protocol

import numpy as np

from codesign.runtime.faults import BufferFreed

Progress = Callable[[int], None]  #: called now and then with the clock cycles since the wait began


@dataclass(frozen=True)
class Allocation:
    """Contiguous memory: ``array`` (uint8) as the processor sees it, ``address`` as the accelerator does."""

    address: int
    array: np.ndarray


class Buffer:
    """Memory that processor and accelerator share: ``array`` (uint8) here, at byte ``address`` there.

    What the processor wrote reaches the accelerator with `flush`, what the accelerator wrote reaches ``array`` with
    `invalidate`; both take a range of bytes. After `free` all of it raises `BufferFreed`.
    """

    def __init__(self, address: int, array: np.ndarray):
        self.address = address
        self._array = array
        self._freed = False

    @property
    def array(self) -> np.ndarray:
        if self._freed:
            raise BufferFreed("the detector's memory was freed; make a new Detector.from_package(...)")
        return self._array

    def flush(self, start: int, stop: int) -> None:
        """Let the accelerator see bytes ``start`` to ``stop``."""
        self._flush(self.array[start:stop], start, stop)

    def invalidate(self, start: int, stop: int) -> None:
        """See what the accelerator wrote into bytes ``start`` to ``stop``."""
        self._invalidate(self.array[start:stop], start, stop)

    def free(self) -> None:
        """Give the memory back; again is no error."""
        if not self._freed:
            self._freed = True
            self._free()

    def _flush(self, part: np.ndarray, start: int, stop: int) -> None:
        """Of a device; nothing where memory is coherent."""

    def _invalidate(self, part: np.ndarray, start: int, stop: int) -> None:
        """Of a device; nothing where memory is coherent."""

    def _free(self) -> None:
        """Of a device."""


class Device(Protocol):
    """An accelerator with its memory. Offsets are those of `codesign.program.registers.Register`."""

    def register_read(self, offset: int) -> int:
        """A 32-bit register."""

    def register_write(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""

    def allocate(self, size: int) -> Buffer:
        """Zeroed memory of ``size`` bytes whose address is a multiple of 128."""

    def now(self) -> float:
        """Seconds on the device's clock: a board's is the processor's, a simulated device's its cycles."""

    def pause(self, seconds: float) -> None:
        """Let that much time pass, or less if the interrupt comes."""

    def close(self) -> None:
        """Give the device back; again is no error."""
