# SPDX-License-Identifier: Apache-2.0
"""Burst splitter and walker against what they are specified to cover."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from hw.axi import BEAT_BYTES, BOUNDARY, MAX_BEATS
from hw.bursts import BurstSplitter
from hw.walker import Walker


def run(
    block: Any, out: Any, commands: list[dict[str, int]], rng: random.Random, stall: float
) -> tuple[list[Any], int]:
    """Everything that comes out until all commands are done, and the cycles it took."""
    outputs: list[Any] = []
    cycles = 0

    async def source(ctx: Any) -> None:
        for command in commands:
            while rng.random() < stall:
                await ctx.tick()
            for name, value in command.items():
                ctx.set(getattr(block.command.payload, name), value)
            ctx.set(block.command.valid, 1)
            await ctx.tick().until(block.command.ready)
            ctx.set(block.command.valid, 0)

    async def sink(ctx: Any) -> None:
        nonlocal cycles
        quiet = 0
        while quiet < 20:
            ctx.set(out.ready, rng.random() >= stall)
            _, _, valid, ready, payload = await ctx.tick().sample(out.valid, out.ready, out.payload)
            cycles += 1
            quiet = 0 if valid else quiet + 1
            if valid and ready:
                outputs.append(payload)
        cycles -= quiet

    simulator = Simulator(block)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.run()
    return outputs, cycles


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_bursts_cover_rows(seed: int, stall: float) -> None:
    rng = random.Random(seed)
    commands = [
        dict(
            address=rng.randrange(1 << 16) * BEAT_BYTES,
            stride=rng.randrange(1 << 10) * BEAT_BYTES,
            rows=rng.randint(1, 4),
            beats=rng.choice([1, 2, 4, 15, 16, 17, rng.randint(1, 80)]),
        )
        for _ in range(12)
    ]
    bursts, cycles = run(block := BurstSplitter(), block.bursts, commands, rng, stall)
    want = [
        (command["address"] + row * command["stride"] + beat * BEAT_BYTES)
        for command in commands
        for row in range(command["rows"])
        for beat in range(command["beats"])
    ]
    assert [b.address + i * BEAT_BYTES for b in bursts for i in range(b.len + 1)] == want
    assert all(b.address // BOUNDARY == (b.address + b.len * BEAT_BYTES) // BOUNDARY for b in bursts)
    assert sum(b.last for b in bursts) == len(commands)
    fewest = sum(
        (start % BOUNDARY // BEAT_BYTES + command["beats"] + MAX_BEATS - 1) // MAX_BEATS
        for command in commands
        for start in (command["address"] + row * command["stride"] for row in range(command["rows"]))
    )
    assert len(bursts) == fewest
    if stall == 0:
        assert cycles <= fewest + 2, "one burst a cycle"


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_walker_covers_rectangles(stall: float) -> None:
    rng = random.Random(int(stall * 10))
    commands = [
        dict(
            addr=rng.randrange(1 << 16),
            stride=rng.randrange(64),
            rows=rng.randint(1, 4),
            words=rng.randint(1, 9),
            index=i,
        )
        for i in range(15)
    ]
    steps, cycles = run(block := Walker(), block.steps, commands, rng, stall)
    want = [
        ((c["addr"] + row * c["stride"] + word) % (1 << 16), c["index"])
        for c in commands
        for row in range(c["rows"])
        for word in range(c["words"])
    ]
    assert [(step.addr, step.index) for step in steps] == want
    assert [step.index for step in steps if step.last] == list(range(len(commands)))
    if stall == 0:
        assert cycles <= len(want) + 2, "one address a cycle"
