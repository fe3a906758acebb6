# SPDX-License-Identifier: Apache-2.0
"""A short waveform around the clock cycle in which a value was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from codesign.build.step import RTL, Context
from codesign.program.registers import Register
from codesign.verify.frame import DEFAULT_WATCHDOG

BEFORE, AFTER = 64, 8  # cycles


def cut(context: Context, codes: np.ndarray, cycle: int, path: Path, log: Callable[[str], None]) -> tuple[int, int]:
    """Write a VCD of the cycles around ``cycle`` of the frame; the first and the last are returned.

    The simulator is compiled once more, with waveforms (minutes; kept in the build folder).
    """
    from codesign.build.steps.simulate import content
    from sim.device import SimulatedDevice
    from sim.verilate import build

    program = context.plan.program
    library = build(context.path(RTL), program.config, context.path("simulator-waves"), log, waves=True)
    size = -(-program.dram_bytes // 4096) * 4096
    device = SimulatedDevice(library, program.config, context.board.dram, size, record=())
    try:
        image = content(context)
        device.buffer[: image.size] = image
        program.write_input(device.buffer, codes)
        first, last = max(0, cycle - BEFORE), cycle + AFTER
        device.trace(path, first, last)
        for register, value in ((Register.PROGRAM, 0), (Register.COUNT, len(program.instructions)), (Register.BASE, 0),
                                (Register.WATCHDOG, DEFAULT_WATCHDOG), (Register.CONTROL, 1)):  # fmt: skip
            device.register_write(register, value)
        device.advance(max(0, last + 2 - device.cycle))
        return first, last
    finally:
        device.close()
