# SPDX-License-Identifier: Apache-2.0
"""Requantiser against exact integers and `codesign.numeric.requantise`."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from codesign.numeric import requantise
from hw.requantise import Requantiser

SEED = 20260


def exact(acc: int, mult: int, bias: int, shift: int, zero: int, lo: int, hi: int) -> int:
    """The definition in Python integers."""
    value, half = acc * mult + bias, (1 << shift) >> 1
    floor, rest = value >> shift, value & ((1 << shift) - 1)
    if shift and (rest > half or (rest == half and floor & 1)):
        floor += 1
    return max(lo, min(hi, floor + zero))


def vectors(acc_bits: int, count: int) -> list[tuple[int, ...]]:
    """Random and extreme inputs within the contract: ties of both signs, saturation, all shifts, M 0 to
    65535."""
    rng = random.Random(SEED + acc_bits)
    top = 1 << (acc_bits - 1)
    rows = []
    while len(rows) < count:
        acc = rng.choice([rng.randrange(-top, top), rng.randrange(-300, 300), -top, top - 1, 0])
        mult = rng.choice([rng.randrange(1 << 15, 1 << 16), 0, 1, 32768, 65535])
        shift = rng.randrange(8, 32)
        target = rng.randrange(-400, 400) * (1 << shift)  # bias that lands near int8, often on an exact tie
        near = rng.choice([0, 1, -1, 1 << (shift - 1), (1 << (shift - 1)) + 1, (1 << (shift - 1)) - 1])
        anywhere = rng.randrange(-(1 << 47), 1 << 47)
        bias = rng.choice([target + near - acc * mult, anywhere, -(1 << 47) + 1, (1 << 47) - 1, 0])
        if abs(acc * mult + bias) >= 1 << 47 or not -(1 << 47) <= bias < 1 << 47:
            continue
        zero = rng.choice([rng.randrange(-128, 128), -128, 127, 0])
        lo, hi = rng.choice([(-128, 127), (zero, 127), tuple(sorted(rng.sample(range(-128, 128), 2)))])
        rows.append((acc, mult, bias, shift, zero, lo, hi))
    return rows


def through_hardware(rows: list[tuple[int, ...]], acc_bits: int, skewed: bool) -> list[int]:
    dut = Requantiser(acc_bits, skewed=skewed)
    late = (0, 0, dut.BIAS_AT, dut.SHIFT_AT, *[dut.OFFSET_AT] * 3) if skewed else (0,) * 7
    ports = (dut.acc, dut.multiplier, dut.bias, dut.shift, dut.zero, dut.lo, dut.hi)
    got = []

    async def bench(ctx):
        for cycle in range(len(rows) + dut.LATENCY):
            for i, port in enumerate(ports):
                if 0 <= cycle - late[i] < len(rows):
                    ctx.set(port, rows[cycle - late[i]][i])
            await ctx.tick()
            got.append(ctx.get(dut.code))

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    return got[dut.LATENCY - 1 :][: len(rows)]


@pytest.mark.parametrize("acc_bits", [24, 27, 32])
@pytest.mark.parametrize("skewed", [False, True])
def test_equals_the_definition(acc_bits, skewed):
    rows = vectors(acc_bits, 4000)
    assert through_hardware(rows, acc_bits, skewed) == [exact(*row) for row in rows]


def test_numeric_definition_is_the_same():
    rows = vectors(24, 4000)
    got = []
    for acc, mult, bias, shift, zero, lo, hi in rows:
        got.append(int(requantise(np.array([acc]), mult, bias, shift, zero, lo, hi)[0]))
    assert got == [exact(*row) for row in rows]


def test_sums_of_two_products():
    """The first with the bias, the second behind it at once or after any wait, in which the sum is held."""
    rng, dut = random.Random(SEED), Requantiser(21, skewed=True, sums=True)
    given, want = [], []
    for _ in range(600):
        factors = [(rng.randrange(-128, 128), rng.choice([0, 1, rng.randrange(1 << 16), 65535])) for _ in range(2)]
        shift, zero = rng.randrange(8, 32), rng.randrange(-128, 128)
        bias = rng.randrange(-(1 << 25), 1 << 25)
        if rng.random() < 0.3:  # a tie
            bias += (1 << (shift - 1)) - (sum(a * m for a, m in factors) + bias) % (1 << shift)
        for second, (acc, multiplier) in enumerate(factors):
            given += [{"hold": 1, "acc": rng.randrange(-128, 128)} for _ in range(rng.choice([0, 0, 1, 3]))]
            given.append({"acc": acc, "multiplier": multiplier, "bias": bias, "shift": shift, "zero": zero, "add": second})
        want.append((len(given) - 1, exact(1, sum(a * m for a, m in factors), bias, shift, zero, -128, 127)))
    late = {"bias": dut.BIAS_AT, "add": dut.BIAS_AT, "hold": dut.BIAS_AT, "shift": dut.SHIFT_AT}
    late |= dict.fromkeys(("zero", "lo", "hi"), dut.OFFSET_AT)
    got = []

    async def bench(ctx):
        ctx.set(dut.lo, -128)
        ctx.set(dut.hi, 127)
        for cycle in range(len(given) + dut.LATENCY):
            for name in ("acc", "multiplier", "bias", "shift", "zero", "add", "hold"):
                number = cycle - late.get(name, 0)
                if 0 <= number < len(given):
                    ctx.set(getattr(dut, name), given[number].get(name, 0))
            await ctx.tick()
            got.append(ctx.get(dut.code))

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(bench)
    sim.run()
    assert [got[at + dut.LATENCY - 1] for at, _ in want] == [value for _, value in want]
