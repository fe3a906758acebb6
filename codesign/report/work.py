# SPDX-License-Identifier: Apache-2.0
"""What each instruction does, read off the program: cycles its engine issues work in, bytes it moves, rows done twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, Program, Written

BEAT_BYTES = 8


@dataclass(frozen=True)
class Work:
    """One instruction: ``issue`` cycles of its engine, of them ``repeated`` for pixels that were computed before.

    ``read_bytes`` are data, parameters and the instruction itself. An 8-bit weight takes two cycles a product
    (``passes`` = 2). ``multiplies`` is false where the multipliers only wait: maxima, windows, transfers.
    """

    engine: int
    node: str
    issue: int
    repeated: int
    passes: int
    multiplies: bool
    read_bytes: int
    write_bytes: int


def works(program: Program) -> list[Work]:
    """A row per instruction, in the program's order."""
    repeated = _repeated(program.instructions)
    rows = []
    for number, instruction in enumerate(program.instructions):
        values = instruction.values
        array = instruction.opcode == isa.Opcode.POINTWISE
        gathers = instruction.opcode == isa.Opcode.DEPTHWISE
        multiplies = array or (gathers and values.get("mode", 0) == isa.Mode.MAC)
        issue = issue_cycles(instruction, program.config)
        read, written = _bytes(instruction, program.config)
        rows.append(
            Work(
                engine=instruction.engine,
                node=instruction.node,
                issue=issue,
                repeated=round(issue * repeated[number] / _pixels(instruction)) if repeated[number] else 0,
                passes=1 + values.get("w8", 0) if multiplies else 1,
                multiplies=multiplies,
                read_bytes=read,
                write_bytes=written,
            )
        )
    return rows


def issue_cycles(instruction: Instruction, config: AcceleratorConfig) -> int:
    """Cycles in which the engine does useful work for it: exactly what its counter BUSY counts."""
    v = instruction.values
    if instruction.opcode in (isa.Opcode.LOAD, isa.Opcode.STORE):
        return v["rows"] * v["row_words"] * config.word_beats
    if instruction.opcode not in (isa.Opcode.POINTWISE, isa.Opcode.DEPTHWISE):
        return 0
    if v.get("mode", 0) == isa.Mode.WINDOW:
        return v["rows"] * v["kh"] * sum(_window_row(v, config.lanes // 4))
    if v.get("mode", 0) == isa.Mode.ADD and instruction.opcode == isa.Opcode.DEPTHWISE:
        return _pixels(instruction) * 2 * config.lanes // config.depthwise_requant
    halves = 1 if v.get("mode", 0) != isa.Mode.MAC else 1 + v.get("w8", 0)
    return _pixels(instruction) * v.get("planes", 1) * v["kh"] * v["kw"] * halves


def _window_row(v: dict[str, int], word_pixels: int) -> list[int]:
    """Cycles of a row of taps, per column: those that lie in one word come together (`hw.tap_walker`)."""
    cheap = v["x0"] % 2 and v["stride"] % 2 == 0 and not v.get("up") and v["in_w"] % word_pixels == 0
    if v["kw"] != 3 or v["kh"] > 3 or v.get("deform") or not cheap:
        return [v["kw"]] * v["cols"]
    first = [(v["x0"] + col * v["stride"]) % word_pixels for col in range(v["cols"])]
    return [2 if x == word_pixels - 1 else 1 for x in first]


def _bytes(instruction: Instruction, config: AcceleratorConfig) -> tuple[int, int]:
    v = instruction.values
    read = isa.INSTRUCTION_BYTES + v.get("param_beats", 0) * BEAT_BYTES
    moved = issue_cycles(instruction, config) * BEAT_BYTES
    if instruction.opcode == isa.Opcode.LOAD:
        return read + moved, 0
    return read, moved if instruction.opcode == isa.Opcode.STORE else 0


def _repeated(instructions: Sequence[Instruction]) -> list[int]:
    """Pixels of each instruction that an earlier one of the same layer had already written.

    The parts of a sum that lies in several instructions (all but the last write nothing) count with the last one, by
    the accumulators they share.
    """
    covered = _Covered(instructions)
    parts: list[int] = []  # instructions whose sums lie in the accumulators
    repeated = [0] * len(instructions)
    for number, instruction in enumerate(instructions):
        if instruction.opcode == isa.Opcode.POINTWISE and instruction.values["first"]:
            parts = [part for part in parts if not _shared(instructions[part], instruction)]
        if instruction.written is not None:
            again = covered.add(instruction.node, instruction.written)
            repeated[number] = again
            for part in parts if again and instruction.opcode == isa.Opcode.POINTWISE else ():
                share = _shared(instructions[part], instruction) / _pixels(instruction)
                repeated[part] += round(again * share)
        elif instruction.opcode == isa.Opcode.POINTWISE:
            parts.append(number)
    return repeated


def _pixels(instruction: Instruction) -> int:
    return instruction.values["rows"] * instruction.values["cols"]


def _shared(one: Instruction, other: Instruction) -> int:
    """Accumulators that both instructions use."""
    first, second = one.values.get("acc_base", 0), other.values.get("acc_base", 0)
    return max(0, min(first + _pixels(one), second + _pixels(other)) - max(first, second))


class _Covered:
    """Which pixels of which (layer, plane, lanes) have been written."""

    def __init__(self, instructions: Sequence[Instruction]):
        self._sizes: dict[tuple[str, int, int], tuple[int, int]] = {}
        self._maps: dict[tuple[str, int, int], np.ndarray] = {}
        for instruction in instructions:
            w = instruction.written
            if w is not None:
                key = (instruction.node, w.plane, w.lane0)
                height, width = self._sizes.get(key, (0, 0))
                self._sizes[key] = max(height, w.row + w.rows), max(width, w.col + w.cols)

    def add(self, node: str, w: Written) -> int:
        """Mark what ``w`` writes; the pixels of it that were marked before."""
        key = (node, w.plane, w.lane0)
        if key not in self._maps:
            self._maps[key] = np.zeros(self._sizes[key], bool)
        region = self._maps[key][w.row : w.row + w.rows, w.col : w.col + w.cols]
        before = int(region.sum())
        region[:] = True
        return before
