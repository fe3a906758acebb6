# SPDX-License-Identifier: Apache-2.0
"""What a driver may ask of an accelerator: registers, shared memory, waiting. `sim.device` simulates it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Progress = Callable[[int], None]  #: called now and then with the clock cycles since the wait began


@dataclass(frozen=True)
class Allocation:
    """Contiguous memory: ``array`` (uint8) as the processor sees it, ``address`` as the accelerator does."""

    address: int
    array: np.ndarray


class Device(Protocol):
    """An accelerator with its memory. Offsets are those of `codesign.program.registers.Register`."""

    def register_read(self, offset: int) -> int:
        """A 32-bit register."""

    def register_write(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""

    def allocate(self, size: int) -> Allocation:
        """Zeroed memory of ``size`` bytes whose address is a multiple of 128."""

    def wait(self, progress: Progress | None = None) -> None:
        """Return when the status shows done or fault."""
