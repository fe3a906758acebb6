# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: Apache-2.0
"""Every form of the multiplier array against the plain dot product, cycle by cycle."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from codesign.numeric import split8
from hw.array import DotArray
from hw.multipliers import Multipliers

SEED = 77
BYTE = 256


def beats(tile: np.ndarray, wide: bool) -> list[int]:
    """A tile (outputs, lanes) as 64-bit beats in the order of docs/architecture.md."""
    flat, bits = tile.reshape(-1), 8 if wide else 4
    per_beat = 64 // bits
    mask = (1 << bits) - 1
    return [
        sum((int(w) & mask) << (bits * i) for i, w in enumerate(flat[at : at + per_beat]))
        for at in range(0, len(flat), per_beat)
    ]


def stimulus(rng: random.Random, lanes: int, outputs: int) -> tuple[list[dict[str, int]], list[np.ndarray]]:
    """Inputs of every cycle, and the sums that belong to each: tiles load with gaps while the one before is
    used."""
    noise = np.random.default_rng(rng.randrange(1 << 30))
    cycles, sums, active = [], [], np.zeros((outputs, lanes), np.int64)

    def run(load: dict[str, int] | None = None, swap: dict[str, int] | None = None) -> None:
        x = noise.choice([-128, 127], lanes) if rng.random() < 0.2 else noise.integers(-128, 128, lanes)
        packed = sum((int(v) % BYTE) << (8 * i) for i, v in enumerate(x))
        cycles.append({"load": 0, "swap": 0, "x": packed} | (load or {}) | (swap or {}))
        sums.append(active @ x)

    for number in range(6):
        wide = number % 2 == 1
        low, high = (-128, 127) if wide else (-8, 7)
        tile = (
            noise.integers(low, high + 1, (outputs, lanes))
            if number < 3
            else noise.choice([low, high], (outputs, lanes))
        )
        for index, beat in enumerate(beats(tile, wide)):
            if rng.random() < 0.3:
                run()
            run({"load": 1, "load_data": beat, "load_index": index, "load_wide": int(wide)})
        for _ in range(rng.choice([DotArray.LEAD, DotArray.LEAD, 9])):
            run()
        upper, lower = split8(tile) if wide else (None, tile)
        for half, is_high in ((upper, 1), (lower, 0)):
            if half is not None:
                active = half.astype(np.int64)
                run(swap={"swap": 1, "swap_high": is_high})
                for _ in range(5):
                    run()
    return cycles, sums


def through_hardware(dut: DotArray, cycles: list[dict[str, int]]) -> list[list[int]]:
    got = []

    async def bench(ctx):
        for number in range(len(cycles) + dut.LATENCY):
            for name, value in cycles[min(number, len(cycles) - 1)].items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            got.append([ctx.get(dut.sums[o]) for o in range(dut.outputs)])

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    return got[dut.LATENCY - 1 :]


@pytest.mark.parametrize(
    ("lanes", "outputs", "quads"),
    [(16, 4, None), (16, 4, 3), (16, 8, 0), (32, 8, 21), (32, 16, None), (32, 16, 64)],
)
def test_equals_the_dot_product(lanes, outputs, quads):
    rng = random.Random(SEED + lanes + outputs)
    cycles, sums = stimulus(rng, lanes, outputs)
    layout = None if quads is None else Multipliers(quads, primitives=False)
    got = through_hardware(DotArray(lanes, outputs, layout=layout), cycles)
    first = lanes * outputs // 16  # before the first tile is there, weights are not defined
    for number in range(first + 20, len(cycles)):
        assert got[number] == sums[number].tolist(), f"cycle {number}"


def test_refuses_a_layout_larger_than_the_array():
    with pytest.raises(ValueError, match="32 x 16 has 64"):
        DotArray(32, 16, layout=Multipliers(65))
