# SPDX-License-Identifier: Apache-2.0
"""A victim in the memory of a virtual board, between guards that nothing may write."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.faults.victims import Victim
from codesign.runtime.accelerator import Accelerator
from codesign.runtime.faults import AcceleratorTimeout
from codesign.virtual import VirtualBoard

GUARD = 64 * 1024  #: bytes on either side
WATCHDOG = 30_000  #: cycles
STALL = 0.1  #: chance of a DRAM channel to pause for a cycle
RESET = 50_000  #: cycles that a reset may take


class Room:
    """Runs frames of ``victim`` as the driver does. ``cycles`` is what a frame takes when nothing is wrong."""

    def __init__(self, library: Path, victim: Victim, seed: int):
        self.victim, size = victim, victim.program.dram_bytes
        self.board = VirtualBoard(library, victim.board, STALL, seed, size + 2 * GUARD)
        self.simulated = self.board.simulated
        self.simulated.answer_outside()
        self.memory = self.simulated.buffer[GUARD : GUARD + size]  # of the frame, as DRAM holds it
        self.base = self.simulated.base + GUARD
        self.driver = Accelerator(self.board, victim.board.accelerator.engines)
        guards = np.random.default_rng(seed).integers(0, 256, 2 * GUARD, np.uint8)
        self._guards = np.split(guards, 2)
        self.simulated.buffer[:GUARD], self.simulated.buffer[GUARD + size :] = self._guards
        self._clock = victim.board.clock_mhz * 1e6
        self.cycles = 1_000_000
        self.restore()
        self.begin()
        self.finish()
        self.cycles = self.driver.cycles

    def restore(self) -> None:
        """Program, parameters and input as they belong; everything else 0."""
        program = self.victim.program
        self.memory[:] = 0
        self.memory[: program.content.size] = program.content
        program.write_input(self.memory, self.victim.codes)

    def begin(self) -> None:
        """Start a frame."""
        program = self.victim.program
        self.driver.start(0, len(program.instructions), self.base, WATCHDOG, program.writable)

    def finish(self) -> None:
        """Wait for its end; raises what the driver raises."""
        self.driver.wait((4 * self.cycles + 3 * WATCHDOG) / self._clock)

    def reset(self) -> None:
        """A soft reset; `AcceleratorTimeout` where it does not end."""
        self.driver.reset(RESET / self._clock)

    def frame_is_golden(self) -> bool:
        """Whether every output in memory is golden's."""
        program = self.victim.program
        outputs = program.outputs.values()
        return all(np.array_equal(o.read(self.memory, program.config.lanes), self.victim.golden[o.name]) for o in outputs)

    def content_is_whole(self) -> bool:
        """The driver's check: program and parameters in memory are the package's."""
        content = self.victim.program.content
        return np.array_equal(self.memory[: content.size], content)

    def written_outside(self, content: np.ndarray) -> bool:
        """Whether anything was written beyond the frame's memory, or over its program and parameters ``content``."""
        below, above = self._guards
        buffer = self.simulated.buffer
        same = np.array_equal(buffer[:GUARD], below) and np.array_equal(buffer[-GUARD:], above)
        return not same or self.simulated.outside[1] > 0 or not np.array_equal(self.memory[: content.size], content)

    def stuck(self) -> bool:
        """Whether a reset does not end."""
        try:
            self.reset()
        except AcceleratorTimeout:
            return True
        return False

    def close(self) -> None:
        """Free the simulation."""
        self.board.close()
