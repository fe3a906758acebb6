# SPDX-License-Identifier: Apache-2.0
"""Several clients at one write port: every write comes out once, in each client's order, and none waits for long."""

from __future__ import annotations

import random

import pytest
from amaranth.sim import Simulator

from codesign.program.config import AcceleratorConfig
from hw.write_join import WriteJoin

SEED, CYCLES, CLIENTS = 31, 600, 4


def traffic(ready_share: float) -> tuple[list[list[int]], list[list[int]], list[tuple[int, int]]]:
    """Addresses each client handed over, addresses that came out per client, and (client, blamed) of every error."""
    rng, dut = random.Random(SEED), WriteJoin(AcceleratorConfig(lanes=16, array_out=4), CLIENTS)
    given: list[list[int]] = [[] for _ in range(CLIENTS)]
    out: list[list[int]] = [[] for _ in range(CLIENTS)]
    blamed: list[tuple[int, int]] = []

    async def bench(ctx):
        for cycle in range(CYCLES):
            for i, port in enumerate(dut.i):
                ctx.set(port.request.valid, 1)
                ctx.set(port.request.payload.addr, i << 12 | len(given[i]))
            ctx.set(dut.o.request.ready, rng.random() < ready_share)
            await ctx.delay(1e-9)
            served = [i for i, port in enumerate(dut.i) if ctx.get(port.request.ready)]
            if ctx.get(dut.o.request.ready):
                address = ctx.get(dut.o.request.payload.addr)
                out[address >> 12].append(address & 0xFFF)
                assert served == [address >> 12], f"cycle {cycle}"
            for i in served:
                given[i].append(len(given[i]))
            await ctx.tick()
            ctx.set(dut.error, bool(served))
            await ctx.delay(1e-9)
            blamed.extend((i, ctx.get(dut.errors)) for i in served)

    sim = Simulator(dut)
    sim.add_clock(1e-7)
    sim.add_testbench(bench)
    sim.run()
    return given, out, blamed


@pytest.mark.parametrize("ready_share", [1.0, 0.3])
def test_all_are_served_in_turn(ready_share):
    given, out, blamed = traffic(ready_share)
    assert out == given
    assert max(map(len, given)) - min(map(len, given)) <= 1
    assert sum(map(len, given)) > ready_share * CYCLES / 2
    assert all(errors == 1 << client for client, errors in blamed)
