# SPDX-License-Identifier: Apache-2.0
"""Parameter fetcher behind arbiter and read port (see `tests.hw.bench_param_fetch`)."""

from __future__ import annotations

from codesign.program.config import AcceleratorConfig
from sim.bench import run_bench
from tests.hw.param_system import ParamSystem


def test_param_fetch() -> None:
    config = AcceleratorConfig(depthwise_units=2, pointwise_param_beats=512, depthwise_param_beats=32)
    settings = {"consumers": 3, "depthwise_beats": config.depthwise_param_beats}
    run_bench(ParamSystem(config), "tests.hw.bench_param_fetch", "param_system", settings, seed=2)
