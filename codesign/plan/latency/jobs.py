# SPDX-License-Identifier: Apache-2.0
"""What every instruction asks of its engine, computed once for all passes of the model."""

from __future__ import annotations

from functools import lru_cache

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, Program

_POINTWISE, _MAC, _ADD = int(isa.Engine.POINTWISE), int(isa.Mode.MAC), int(isa.Mode.ADD)


class Job:
    """One instruction as the model sees it.

    ``waits``: (engine, its retirements) pairs. ``params``: parameter beats, which arrive in ``fetch`` cycles. ``work``: cycles
    the engine is occupied when nothing holds it up. ``reads`` and ``writes``: scratchpad words. ``shape`` belongs to the
    engine's model.
    """

    __slots__ = ("engine", "fetch", "params", "reads", "shape", "values", "waits", "work", "writes")

    def __init__(self, machine: Machine, instruction: Instruction):
        v = self.values = instruction.values
        self.engine = v["engine"]
        self.waits = [(engine, v[name]) for engine, name in machine.waits if v.get(name)]
        self.params = v.get("param_beats", 0)
        self.fetch = machine.fetch_cycles(v["param_addr"], self.params) if self.params else 0.0
        if self.engine < _POINTWISE:
            self._transfer(machine, v)
        elif self.engine == _POINTWISE:
            self._pointwise(machine, v)
        else:
            self._depthwise(machine, v)

    def _pointwise(self, machine: Machine, v: dict[str, int]) -> None:
        pixels, tiles, wide, last = v["rows"] * v["cols"], v["planes"] * v["kh"] * v["kw"], v.get("w8", 0), v.get("last", 0)
        tile, high = machine.tile_beats << wide, pixels if wide else 0
        step = max(pixels + high, high + hw.READ_LATENCY + tile)  # a tile loads once the one before is in the array
        self.work = float(tiles * step)
        self.reads, self.writes = tiles * (pixels + high), pixels if last else 0
        exposed = self.writes if tiles << wide == 1 else max(0, self.writes - hw.RESULTS)
        self.shape = (pixels + high, tiles - 1, high, machine.requant_beats if last else 0, tile, exposed, step)

    def _depthwise(self, machine: Machine, v: dict[str, int]) -> None:
        pixels, taps, mac = v["rows"] * v["cols"], v["kh"] * v["kw"], v.get("mode", 0) in (_MAC, _ADD)
        wide = v.get("w8", 0) if mac else 0
        lanes = machine.config.lanes
        load = 2 * lanes + (1 if v.get("same") else taps) * (lanes // 8 * hw.WIDE_BEAT_CYCLES if wide else lanes // hw.WEIGHTS_PER_BEAT)
        cycles = pixel_cycles(machine.config, v)
        self.work = pixels * cycles
        self.reads, self.writes = pixels * (2 if v.get("mode", 0) == _ADD else taps), pixels
        self.shape = (mac, bool(v.get("deform")), load, cycles)

    def _transfer(self, machine: Machine, v: dict[str, int]) -> None:
        self.reads = self.writes = v["rows"] * v["row_words"]
        row = v["row_words"] * machine.config.word_beats
        bursts = v["rows"] * -(-(v["dram_addr"] // 8 % hw.MAX_BEATS + row) // hw.MAX_BEATS)
        self.work = machine.burst_cycles(v["rows"] * row, bursts)
        self.shape = (min(row, hw.MAX_BEATS) * hw.MAX_OUTSTANDING,)


class Machine:
    """Figures of a configuration and its memory that every job needs."""

    def __init__(self, config: AcceleratorConfig, dram: Dram):
        self.config, self._latency = config, dram.latency_cycles
        self.waits = [(engine, f"wait{engine}") for engine in range(len(config.engines))]
        self.tile_beats = config.array_macs // hw.WEIGHTS_PER_BEAT
        self.requant_beats = 2 * config.array_out

    def burst_cycles(self, beats: int, bursts: int) -> float:
        """Cycles of ``bursts`` bursts: one beat a cycle, or what the latency lets the outstanding ones carry."""
        length = beats / bursts
        return bursts * max(length, (self._latency + length + hw.ADDRESS_CYCLES) / hw.MAX_OUTSTANDING)

    def fetch_cycles(self, address: int, beats: int) -> float:
        """Cycles in which ``beats`` parameter beats at byte ``address`` arrive."""
        return self.burst_cycles(beats, -(-(address // 8 % hw.MAX_BEATS + beats) // hw.MAX_BEATS))


def jobs(program: Program, dram: Dram) -> list[Job]:
    """One per instruction, the HALT left out."""
    machine = Machine(program.config, dram)
    return [Job(machine, instruction) for instruction in program.instructions[:-1]]


def pixel_cycles(config: AcceleratorConfig, v: dict[str, int]) -> float:
    """Cycles of a depthwise pixel, on average, when its reads never wait."""
    mode = v.get("mode", 0)
    if mode == isa.Mode.WINDOW and grouped(config, v):
        return v["kh"] * _groups(config.lanes // 4, v.get("x0", 0), v["stride"])
    if mode == _ADD:
        return 2 * config.lanes // config.depthwise_requant
    taps, offset = v["kh"] * v["kw"], 1 if v.get("deform") else 0
    if mode != _MAC:
        return taps + offset
    return max(taps * (1 + v.get("w8", 0)) + offset, config.lanes // config.depthwise_requant)


def reuses(v: dict[str, int]) -> bool:
    """Whether a depthwise instruction reads a word once for all the neighbouring pixels of a row."""
    return not v.get("deform") and max(v["kh"], v["kw"]) <= hw.REUSING_KERNEL


def grouped(config: AcceleratorConfig, v: dict[str, int]) -> bool:
    """Whether the taps of a WINDOW's row come together when they lie in one word."""
    return v["kw"] == hw.WINDOW_GROUP and reuses(v) and v["in_w"] % (config.lanes // 4) == 0


@lru_cache(maxsize=256)
def _groups(word_pixels: int, x0: int, stride: int) -> float:
    """Mean number of words in which a row of `hw.WINDOW_GROUP` pixels lies."""
    split = [(x0 + col * stride) % word_pixels > word_pixels - hw.WINDOW_GROUP for col in range(word_pixels)]
    return 1 + sum(split) / word_pixels
