# SPDX-License-Identifier: Apache-2.0
"""The dispatcher with slow queues and slow memories (see `tests.hw.bench_dispatcher`)."""

from __future__ import annotations

import pytest

from codesign.program.config import AcceleratorConfig
from sim.bench import run_bench
from tests.hw.dma_system import DispatcherSystem


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("idle", [0.0, 0.9])
@pytest.mark.parametrize("units", [1, 5])
def test_dispatcher(units: int, idle: float, stall: float) -> None:
    settings = dict(depthwise_units=units, queue_depth=2 * units)
    given = {"config": settings, "idle": idle, "stall": stall}
    component = DispatcherSystem(AcceleratorConfig(**settings))
    seed = units + int(100 * (2 * idle + stall))
    run_bench(component, "tests.hw.bench_dispatcher", f"dispatcher_{units}", given, seed=seed)
