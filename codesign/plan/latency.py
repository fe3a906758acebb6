# SPDX-License-Identifier: Apache-2.0
"""Latency model: cycles of a program without RTL, instruction by instruction, in milliseconds to a second.

Each engine is a server in program order; an instruction starts when its engine is free, its tokens are there and its
first parameters have been fetched. The constants are pipeline depths of `hw/`, checked against RTL by the build report.
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign.boards import Dram
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, Program

_PIPELINE = {"load": 12, "store": 14, "pointwise": 26, "depthwise": 34}  #: from last issue to retirement
_START = 4  #: from the tokens to the first issue
_ACC_LATENCY = 8  #: least cycles between two uses of an accumulator


@dataclass(frozen=True)
class Latency:
    """Predicted ``cycles`` of a frame and the retirement cycle of every instruction."""

    cycles: int
    retired: tuple[int, ...]


def predict(program: Program, dram: Dram) -> Latency:
    """Cycles of ``program`` with this memory."""
    config = program.config
    engines = len(config.engines)
    history: list[list[int]] = [[] for _ in range(isa.MAX_ENGINES)]  # retirement times per engine
    popped: list[list[int]] = [[] for _ in range(engines)]
    free = [0] * engines
    dispatch, fetched = dram.latency_cycles, dram.latency_cycles
    retired = []
    for instruction in program.instructions[:-1]:
        v, engine = instruction.values, instruction.engine
        queue = popped[engine]
        slot = queue[-config.queue_depth] if len(queue) >= config.queue_depth else 0
        dispatch = max(dispatch + isa.INSTRUCTION_BEATS, slot)
        beats = v.get("param_beats", 0)
        first_params = 0
        if beats:
            begin = max(fetched, dispatch + dram.latency_cycles // 4)
            first_params, fetched = begin + _first_beats(config, v), begin + beats + isa.INSTRUCTION_BEATS
        waits = [history[e][v[f"wait{e}"] - 1] for e in range(engines) if v.get(f"wait{e}")]
        start = max([free[engine], dispatch + _START, first_params, *waits])
        queue.append(start)
        busy = work(config, instruction)
        end = max(start + busy, fetched if beats else 0)
        free[engine] = end
        tail = _PIPELINE[config.engines[engine].rstrip("0123456789")]
        done = end + tail + (dram.latency_cycles if engine < isa.Engine.POINTWISE else 0)
        history[engine].append(max(done, history[engine][-1] if history[engine] else 0))
        retired.append(history[engine][-1])
    return Latency(max(retired, default=0) + _START, tuple(retired))


def work(config: AcceleratorConfig, instruction: Instruction) -> int:
    """Cycles an instruction occupies its engine when nothing holds it up."""
    v = instruction.values
    if instruction.opcode in (isa.Opcode.LOAD, isa.Opcode.STORE):
        return v["rows"] * v["row_words"] * config.word_beats
    pixels = v["rows"] * v["cols"]
    taps = v["kh"] * v["kw"]
    if instruction.opcode == isa.Opcode.POINTWISE:
        tile = config.array_macs // 16
        return v["planes"] * taps * (1 + v["w8"]) * max(pixels, tile, _ACC_LATENCY) + 2
    per_pixel = taps * (1 + v.get("w8", 0)) + (1 if v.get("deform") else 0)
    if v["mode"] == isa.Mode.MAC:
        per_pixel = max(per_pixel, config.lanes // config.depthwise_requant)
    return pixels * per_pixel + 4


def _first_beats(config: AcceleratorConfig, v: dict[str, int]) -> int:
    """Parameter beats an engine needs before it can start."""
    if v["engine"] >= isa.Engine.DEPTHWISE:
        return v["param_beats"]
    head = 2 * config.array_out if v["last"] else 0
    return head + config.array_macs // (8 if v["w8"] else 16)
