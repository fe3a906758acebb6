# SPDX-License-Identifier: Apache-2.0
"""What every instruction asks of its engine, computed once for all passes of the model."""

from __future__ import annotations

from functools import lru_cache

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, Program


class Job:
    """One instruction as the model sees it.

    ``waits``: (engine, its retirements) pairs. ``params``: parameter beats, which arrive in ``fetch`` cycles. ``work``: cycles the engine is occupied when nothing
    holds it up. ``reads`` and ``writes``: scratchpad words. ``shape`` belongs to the engine's model.
    """

    __slots__ = ("engine", "fetch", "params", "reads", "shape", "values", "waits", "work", "writes")

    def __init__(self, config: AcceleratorConfig, dram: Dram, instruction: Instruction, waits: tuple[tuple[int, str], ...]):
        v = self.values = instruction.values
        self.engine = v["engine"]
        self.waits = [(engine, v[name]) for engine, name in waits if v.get(name)]
        self.params = v.get("param_beats", 0)
        self.fetch = fetch_cycles(dram, v["param_addr"], self.params) if self.params else 0.0
        self.work = float(work(config, instruction))
        if instruction.opcode == isa.Opcode.POINTWISE:
            self._pointwise(config, v)
        elif instruction.opcode == isa.Opcode.DEPTHWISE:
            self._depthwise(config, v)
        else:
            self._transfer(config, dram, v)

    def _pointwise(self, config: AcceleratorConfig, v: dict[str, int]) -> None:
        pixels, tiles, wide = v["rows"] * v["cols"], v["planes"] * v["kh"] * v["kw"], v.get("w8", 0)
        requant = 2 * config.array_out if v.get("last", 0) else 0
        tile = config.array_macs // hw.WEIGHTS_PER_BEAT * (1 + wide)
        self.reads, self.writes = pixels * tiles * (1 + wide), pixels if v.get("last", 0) else 0
        exposed = self.writes if tiles * (1 + wide) == 1 else max(0, self.writes - hw.RESULTS)
        high = pixels if wide else 0
        self.shape = (pixels + high, tiles - 1, high, requant, tile, exposed, tile_cycles(pixels, high, tile))

    def _depthwise(self, config: AcceleratorConfig, v: dict[str, int]) -> None:
        pixels, taps = v["rows"] * v["cols"], v["kh"] * v["kw"]
        mac, wide = v.get("mode", 0) == isa.Mode.MAC, v.get("w8", 0)
        beats = config.lanes // (8 if wide else hw.WEIGHTS_PER_BEAT)
        load = 2 * config.lanes + taps * beats * (hw.WIDE_BEAT_CYCLES if wide else 1)
        self.reads, self.writes = pixels * taps, pixels
        self.shape = (mac, bool(v.get("deform")), load)

    def _transfer(self, config: AcceleratorConfig, dram: Dram, v: dict[str, int]) -> None:
        words = v["rows"] * v["row_words"]
        self.reads = self.writes = words
        row = v["row_words"] * config.word_beats
        first = v["dram_addr"] // 8 % hw.MAX_BEATS
        bursts = v["rows"] * -(-(first + row) // hw.MAX_BEATS)
        self.work = float(burst_cycles(dram, words * config.word_beats, bursts))
        self.shape = (min(row, hw.MAX_BEATS) * hw.MAX_OUTSTANDING,)


def jobs(program: Program, dram: Dram) -> list[Job]:
    """One per instruction, the HALT left out."""
    waits = tuple((engine, f"wait{engine}") for engine in range(len(program.config.engines)))
    return [Job(program.config, dram, instruction, waits) for instruction in program.instructions[:-1]]


def burst_cycles(dram: Dram, beats: int, bursts: int) -> float:
    """Cycles of ``bursts`` bursts: one beat a cycle, or what the latency lets the outstanding ones carry."""
    length = beats / bursts
    return bursts * max(length, (dram.latency_cycles + length + hw.ADDRESS_CYCLES) / hw.MAX_OUTSTANDING)


def fetch_cycles(dram: Dram, address: int, beats: int) -> float:
    """Cycles in which ``beats`` parameter beats at byte ``address`` arrive."""
    return burst_cycles(dram, beats, -(-(address // 8 % hw.MAX_BEATS + beats) // hw.MAX_BEATS))


def work(config: AcceleratorConfig, instruction: Instruction) -> int:
    """Cycles an instruction occupies its engine when nothing holds it up."""
    v = instruction.values
    if instruction.opcode in (isa.Opcode.LOAD, isa.Opcode.STORE):
        return v["rows"] * v["row_words"] * config.word_beats
    pixels, taps = v["rows"] * v["cols"], v["kh"] * v["kw"]
    if instruction.opcode == isa.Opcode.POINTWISE:
        tile = config.array_macs // hw.WEIGHTS_PER_BEAT * (1 + v.get("w8", 0))
        return v["planes"] * taps * tile_cycles(pixels, pixels if v.get("w8", 0) else 0, tile)
    return round(pixels * pixel_cycles(config, v))


def tile_cycles(pixels: int, high: int, tile: int) -> int:
    """Cycles from one weight tile's first pixel to the next one's: the next tile loads once this one is in the array.

    ``high``: pixels of the pass before that needs the tile as well (8-bit weights), else 0. ``tile``: its beats.
    """
    return max(pixels + high, high + hw.READ_LATENCY + tile)


def pixel_cycles(config: AcceleratorConfig, v: dict[str, int]) -> float:
    """Cycles of a depthwise pixel, on average, when its reads never wait."""
    mode = v.get("mode", 0)
    if mode == isa.Mode.WINDOW and grouped(config, v):
        return v["kh"] * _groups(config.lanes // 4, v.get("x0", 0), v["stride"])
    mac = mode == isa.Mode.MAC
    taps = v["kh"] * v["kw"] * (1 + (v.get("w8", 0) if mac else 0)) + bool(v.get("deform"))
    return max(taps, config.lanes // config.depthwise_requant) if mac else taps


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
