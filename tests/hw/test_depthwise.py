# SPDX-License-Identifier: Apache-2.0
"""A depthwise unit on Verilator: see `bench_depthwise` for the claims."""

from __future__ import annotations

import pytest

from codesign.program.config import AcceleratorConfig
from hw.depthwise import Depthwise
from sim.bench import run_bench
from tests.hw.gated import Gated


@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.5, 0.5)])
@pytest.mark.parametrize(("lanes", "requant", "acc_bits"), [(32, 4, 24), (16, 8, 32)])
def test_depthwise(lanes: int, requant: int, acc_bits: int, idle: float, stall: float) -> None:
    config = {"lanes": lanes, "array_out": 16, "depthwise_requant": requant, "acc_bits": acc_bits}
    component = Gated(Depthwise(AcceleratorConfig(**config)))
    given = {"config": config, "idle": idle, "stall": stall, "count": 60}
    run_bench(component, "tests.hw.bench_depthwise", f"depthwise_{lanes}_{requant}", given, seed=1)


def test_one_requantised_lane_a_cycle() -> None:
    config = {"lanes": 16, "depthwise_requant": 1, "acc_bits": 28}
    given = {"config": config, "idle": 0.2, "stall": 0.2, "count": 40}
    component = Gated(Depthwise(AcceleratorConfig(**config)))
    run_bench(
        component, "tests.hw.bench_depthwise", "depthwise_16_1", given, seed=2, testcase="random_instructions"
    )
