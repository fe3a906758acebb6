# SPDX-License-Identifier: Apache-2.0
"""The whole accelerator with monitors: what they show of every engine is what its counters count."""

from __future__ import annotations

from typing import Any

import cocotb

from codesign.program.isa import Engine
from codesign.program.registers import Counter, Register
from sim.streams import Ticker
from tests.hw.host import Host


class Activity:
    """Cycles that each engine's monitor showed, by `Counter`."""

    def __init__(self, dut: Any, engines: int):
        self.ports = [getattr(dut, f"mon_activity_{engine}") for engine in range(engines)]
        self.clear()
        Ticker.of(dut).agents.append(self)

    def clear(self) -> None:
        self.rows = [[0] * len(Counter) for _ in self.ports]

    def tick(self) -> None:
        for row, port in zip(self.rows, self.ports, strict=True):
            row[int(port.value)] += 1


@cocotb.test()
async def monitors_show_what_is_counted(dut: Any) -> None:
    """Every cycle from start to done, waiting for tokens included; before and after, engines show IDLE."""
    host = await Host.begin(dut)
    activity = Activity(dut, len(host.config.engines))
    for turn in range(3):
        activity.clear()
        await host.copy(f"copy{turn}")
        shown = [list(row) for row in activity.rows]
        for engine, row in enumerate(shown):
            for counter in Counter:
                counted = await host.read(Register.COUNTERS + 32 * engine + 4 * counter)
                got = f"engine {engine}, {counter.name}: shown {row[counter]}, counted {counted}"
                assert row[counter] == counted or (counter == Counter.IDLE and row[counter] > counted), got
        assert all(shown[engine][Counter.TOKEN] > 0 for engine in (Engine.LOAD, Engine.STORE))
