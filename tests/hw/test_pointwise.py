# SPDX-License-Identifier: Apache-2.0
"""The pointwise engine against its model, in several shapes, with and without back-pressure."""

from __future__ import annotations

import pytest

from codesign.program.config import AcceleratorConfig
from hw.pointwise import Pointwise
from sim.bench import run_bench
from tests.hw.gated import Gated

DEFAULT: dict[str, int] = {}
SHAPES = {
    "default": DEFAULT,
    "small": {"lanes": 16, "array_out": 4, "acc_bits": 32, "acc_depth": 128, "spad_words": 4096},
    "half": {"lanes": 16, "array_out": 8, "acc_bits": 27, "acc_depth": 128, "spad_words": 4096},
    "one_group": {"lanes": 16, "array_out": 16, "acc_depth": 128, "spad_words": 4096},
    "wide": {"lanes": 32, "array_out": 32, "acc_depth": 128, "spad_words": 4096},
}
BENCH = "tests.hw.bench_pointwise"


@pytest.mark.parametrize("pace", [0.0, 0.4])
@pytest.mark.parametrize(
    "shape", [pytest.param(name, marks=pytest.mark.slow) if name == "wide" else name for name in SHAPES]
)
def test_equals_the_model(shape, pace):
    config = AcceleratorConfig(**SHAPES[shape])
    given = {"config": SHAPES[shape], "jobs": 40, "pace": pace, "latency": 2 if pace else 3}
    run_bench(Gated(Pointwise(config)), BENCH, f"pointwise_{shape}", given, seed=11)


def test_loses_no_cycle_between_passes_and_instructions():
    # rows, cols, planes, kernel, cycles an instruction may lose: 40 pixels have time for a tile of 32 beats,
    # but not for the requantisation parameters of the next instruction as well
    regions = [[8, 8, 2, 1, 2], [6, 9, 4, 1, 2], [5, 8, 1, 3, 24], [16, 32, 1, 1, 2]]
    given = {"config": DEFAULT, "throughput": regions, "latency": 3}
    run_bench(Gated(Pointwise(AcceleratorConfig())), BENCH, "pointwise_default", given, seed=5)
