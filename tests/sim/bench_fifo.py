# SPDX-License-Identifier: Apache-2.0
"""Runs on Verilator: values pass a FIFO in order and unchanged."""

import cocotb

from sim.bench import parameters, random_source
from sim.streams import Sink, Source, cycles, start


@cocotb.test()
async def values_pass_in_order(dut):
    given, rng = parameters(), random_source()
    await start(dut)
    source = Source(dut, "i", random_source("idle"), given["idle"])
    sink = Sink(dut, "o", random_source("stall"), given["stall"])
    values = [rng.randrange(1 << given["width"]) for _ in range(300)]
    source.send(values)
    await sink.expect(values)
    await cycles(dut, 10)
    sink.expect_nothing()
    if not given["idle"] and not given["stall"]:
        assert sink.transfers[-1] - sink.transfers[0] == len(values) - 1, "one value a cycle"


@cocotb.test()
async def a_wrong_value_is_noticed(dut):
    await start(dut)
    source, sink = Source(dut, "i"), Sink(dut, "o")
    await source.put(1)
    try:
        await sink.expect([2])
    except AssertionError:
        return
    raise AssertionError("expect let a wrong value pass")
