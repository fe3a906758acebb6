# SPDX-License-Identifier: Apache-2.0
"""One frame through a device: load DRAM, start, wait, collect what the monitors saw."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.boards import Board
from codesign.errors import UserError
from codesign.program.isa import Fault
from codesign.program.program import Program
from codesign.program.registers import Counter, Register

DEFAULT_WATCHDOG = 1_000_000  #: cycles without a retired instruction


class DeviceFault(UserError):
    """The accelerator stopped with a fault code; the message names engine and instruction."""


@dataclass(frozen=True, eq=False)
class EngineTrace:
    """One engine: its ``events`` (start, retire, index, activity) and ``counters`` (cycles by `Counter`)."""

    name: str
    events: np.ndarray
    counters: dict[str, int]


@dataclass(frozen=True, eq=False)
class Frame:
    """What a run left behind. ``writes[engine number]`` are the scratchpad writes of a computing engine, in order."""

    cycles: int
    seconds: float
    memory: np.ndarray
    writes: dict[int, np.ndarray]
    engines: tuple[EngineTrace, ...]
    read_bytes: int
    write_bytes: int


def run_frame(
    library: Path,
    program: Program,
    board: Board,
    codes: np.ndarray,
    content: np.ndarray | None = None,
    progress: Callable[[int], None] | None = None,
    monitors: bool = True,
    stall: float = 0.0,
    seed: int = 0,
    max_cycles: int = 200_000_000,
) -> Frame:
    """Run ``program`` on input ``codes`` int8 (C, H, W) in the Verilated ``library``.

    ``content`` replaces the program's DRAM content (an edited image). ``stall`` adds random DRAM stalls. Raises
    `DeviceFault` on a fault and `sim.device.SimulationError` where the design breaks a rule of its memory.
    """
    from sim.device import SimulatedDevice

    record = None if monitors else ()
    size = -(-program.dram_bytes // 4096) * 4096
    device = SimulatedDevice(library, program.config, board.dram, size, stall=stall, seed=seed, record=record)
    try:
        memory = device.buffer
        image = program.content if content is None else content
        memory[: image.size] = image
        program.write_input(memory, codes)
        device.register_write(Register.PROGRAM, 0)
        device.register_write(Register.COUNT, len(program.instructions))
        device.register_write(Register.BASE, 0)
        device.register_write(Register.WATCHDOG, DEFAULT_WATCHDOG)
        for register, value in zip((Register.WRITE_LOW, Register.WRITE_HIGH), program.writable, strict=True):
            device.register_write(register, value)
        began = time.perf_counter()
        device.register_write(Register.CONTROL, 1)
        finished = device.run(max_cycles, progress)
        seconds = time.perf_counter() - began
        _check(device, program, finished, max_cycles)
        return _collect(device, program, seconds, monitors)
    finally:
        device.close()


def _check(device, program: Program, finished: bool, max_cycles: int) -> None:
    status = device.register_read(Register.STATUS)
    if status & 4:
        fault = device.register_read(Register.FAULT)
        code, engine, index = fault & 0xFF, fault >> 8 & 0xF, fault >> 16
        name = Fault(code).name if code in set(Fault) else str(code)
        where = program.instructions[index].node if index < len(program.instructions) else "?"
        engines = program.config.engines
        unit = engines[engine] if engine < len(engines) else str(engine)
        raise DeviceFault(
            f"the accelerator stopped with fault {name} ({code}) in engine {unit}, instruction {index} (layer {where})"
        )
    if not finished:
        raise DeviceFault(f"the accelerator did not finish within {max_cycles} cycles")


def _collect(device, program: Program, seconds: float, monitors: bool) -> Frame:
    config = program.config
    writes = {2 + w: device.writes(w) for w in range(1 + config.depthwise_units)} if monitors else {}
    engines = []
    for number, name in enumerate(config.engines):
        base = Register.COUNTERS + 32 * number
        counters = {c.name.lower(): device.register_read(base + 4 * c) for c in Counter}
        engines.append(EngineTrace(name, device.events(number), counters))
    traffic = device.traffic()
    cycles = device.register_read(Register.CYCLES)
    return Frame(
        cycles, seconds, device.buffer.copy(), writes, tuple(engines),
        sum(t.read_bytes for t in traffic), sum(t.write_bytes for t in traffic),
    )  # fmt: skip
