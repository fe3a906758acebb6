# SPDX-License-Identifier: Apache-2.0
"""The scratchpad under random traffic, on Verilator: see `bench_scratchpad` for the claims."""

from __future__ import annotations

import pytest

from codesign.program.config import AcceleratorConfig
from hw.scratchpad import Scratchpad
from sim.bench import run_bench


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize(
    ("words", "banks", "lanes", "readers", "writers"),
    [(256, 4, 16, 3, 2), (768, 8, 32, 5, 5), (256, 1, 16, 2, 1)],
)
def test_scratchpad(words: int, banks: int, lanes: int, readers: int, writers: int, idle: float) -> None:
    config = AcceleratorConfig(spad_words=words, spad_banks=banks, lanes=lanes)
    given = {"words": words, "banks": banks, "lanes": lanes, "readers": readers, "writers": writers}
    given |= {"idle": idle, "count": 600}
    component = Scratchpad(config, readers=readers, writers=writers)
    run_bench(component, "tests.hw.bench_scratchpad", f"scratchpad_{lanes}_{banks}", given, seed=5)
