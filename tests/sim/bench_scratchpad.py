# SPDX-License-Identifier: Apache-2.0
"""Runs on Verilator: a copying engine on the scratchpad model."""

import cocotb
import numpy as np

from codesign.program.config import AcceleratorConfig
from sim.bench import parameters, random_source
from sim.scratchpad import ScratchpadModel
from sim.streams import Source, cycles, start


@cocotb.test()
async def words_are_copied(dut):
    config, given = AcceleratorConfig(lanes=16), parameters()
    await start(dut)
    model = ScratchpadModel(
        dut, config, ["read"], ["write"], random_source("model"), given["stall"], given["latency"]
    )
    source = Source(dut, "i", random_source("idle"), given["idle"])
    words = np.random.default_rng(1).integers(0, 256, (100, 16), np.uint8)
    model.load(0, words)
    order = random_source().sample(range(100), 100)
    source.send(order)
    await source.drained()
    await cycles(dut, 2000)
    assert [write.addr for write in model.writes] == [4096 + address for address in order]
    lanes = np.arange(16) % 2 == 0
    assert np.array_equal(model.memory[4096:4196, lanes], words[:, lanes])
    assert not model.memory[4096:4196, ~lanes].any(), "masked lanes stay as they were"
