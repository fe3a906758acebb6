# SPDX-License-Identifier: Apache-2.0
"""The whole accelerator on the bus (see `tests.hw.bench_top`), and its monitors (`tests.hw.bench_activity`)."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from codesign.program.config import AcceleratorConfig
from hw.top import Accelerator
from sim.bench import run_bench

SMALL = dict(array_out=4, depthwise_units=1, acc_depth=32, spad_words=512, spad_banks=4)
SMALL |= dict(pointwise_param_beats=64, depthwise_param_beats=16, queue_depth=4)


def run(bench: str, **settings: int) -> None:
    """Run a bench on a small accelerator; the one with one port has its monitors, which change no cycle."""
    config = AcceleratorConfig(**SMALL | settings)
    component = Accelerator(config, monitors=config.memory_ports == 1)
    name = f"accelerator_{config.memory_ports}"
    run_bench(component, f"tests.hw.{bench}", name, {"config": asdict(config)}, seed=1)


@pytest.mark.parametrize(
    "settings",
    [dict(lanes=32, memory_ports=2), dict(lanes=16, memory_ports=1)],
    ids=["two ports", "one port"],
)
def test_accelerator_on_the_bus(settings: dict[str, int]) -> None:
    run("bench_top", **settings)


def test_monitors_show_what_is_counted() -> None:
    run("bench_activity", lanes=16, memory_ports=1)
