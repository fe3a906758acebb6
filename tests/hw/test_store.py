# SPDX-License-Identifier: Apache-2.0
"""The store engine with idle sources and slow memories (see `tests.hw.bench_store`)."""

from __future__ import annotations

import pytest

from codesign.program.config import AcceleratorConfig
from sim.bench import run_bench
from tests.hw.dma_system import StoreSystem


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("lanes", [16, 32])
def test_store(lanes: int, idle: float, stall: float) -> None:
    settings = dict(lanes=lanes, spad_words=512)
    given = {"config": settings, "idle": idle, "stall": stall}
    component = StoreSystem(AcceleratorConfig(**settings))
    seed = lanes + int(100 * (2 * idle + stall))
    run_bench(component, "tests.hw.bench_store", f"store_{lanes}", given, seed=seed)
