# SPDX-License-Identifier: Apache-2.0
"""cocotb: the self test's LEDs after reset and after each push of the button."""

from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from sim.bench import parameters

PASSED, WRONG, FAULT, AT_WORK = 1, 2, 4, 8
LIMIT = 200_000


async def ended(dut) -> int:
    """LEDs without heartbeat once the run is over."""
    for _ in range(LIMIT // 100):
        await ClockCycles(dut.clk, 100)
        led = int(dut.led.value)
        if not led & AT_WORK:
            return led & 0xEF
    raise AssertionError(f"still at work after {LIMIT} cycles")


@cocotb.test()
async def leds_say_how_the_runs_ended(dut) -> None:
    """``leds``: what each run must show; runs are numbered in the upper three."""
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value, dut.again.value = 1, 0
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    for number, wanted in enumerate(parameters()["leds"], start=1):
        assert await ended(dut) == wanted | number << 5
        dut.again.value = 1
        await ClockCycles(dut.clk, 10)
        dut.again.value = 0
