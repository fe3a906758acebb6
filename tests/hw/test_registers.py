# SPDX-License-Identifier: Apache-2.0
"""The register file behind a bus that pauses (see `tests.hw.bench_registers`)."""

from __future__ import annotations

import pytest

from codesign.program.config import AcceleratorConfig
from hw.registers import Registers
from sim.bench import run_bench

SHAPES = (dict(), dict(lanes=16, array_out=4, depthwise_units=5, spad_words=65536))


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_registers(shape: int, idle: float, stall: float) -> None:
    given = {"config": SHAPES[shape], "idle": idle, "stall": stall}
    component = Registers(AcceleratorConfig(**SHAPES[shape]))
    seed = shape + int(100 * (2 * idle + stall))
    run_bench(component, "tests.hw.bench_registers", f"registers_{shape}", given, seed=seed)
