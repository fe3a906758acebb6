# SPDX-License-Identifier: Apache-2.0
"""Token gate and counters on chosen values (for all values: tests/formal)."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.sim import Simulator

from codesign.program.isa import Opcode, encode
from hw.tokens import TokenCounters, TokenGate


@pytest.mark.parametrize(
    ("retired", "wait", "passes"),
    [
        (0, 0, True),
        (4, 5, False),
        (5, 5, True),
        (6, 5, True),
        (2, 65535, True),
        (65535, 2, False),
        (40000, 2, False),
    ],
)
def test_gate_is_modular(retired: int, wait: int, passes: bool) -> None:
    gate = TokenGate(3)

    async def bench(ctx: Any) -> None:
        ctx.set(gate.i.payload, int.from_bytes(encode(Opcode.LOAD, {"wait1": wait}), "little"))
        ctx.set(gate.retired[1], retired)
        ctx.set(gate.i.valid, 1)
        ctx.set(gate.o.ready, 1)
        got = (ctx.get(gate.o.valid), ctx.get(gate.i.ready), ctx.get(gate.waiting))
        assert got == (passes, passes, not passes)
        ctx.set(gate.stop, 1)
        assert (ctx.get(gate.o.valid), ctx.get(gate.i.ready)) == (0, 0)

    simulator = Simulator(gate)
    simulator.add_testbench(bench)
    simulator.run()


def test_counters_wrap() -> None:
    counters = TokenCounters(2)

    async def bench(ctx: Any) -> None:
        ctx.set(counters.retire, 0b10)
        await ctx.tick().repeat(65537)
        assert (ctx.get(counters.retired[0]), ctx.get(counters.retired[1])) == (0, 1)

    simulator = Simulator(counters)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
