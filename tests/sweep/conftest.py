# SPDX-License-Identifier: Apache-2.0
"""A small sweep whose tasks are done at once, in this process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from codesign.lower import random_net
from codesign.sweep.spec import SweepSpec, load_spec
from codesign.sweep.work import Answer

_random_graph = random_net.random_graph
SMALL = """
name = "small"
seed = 3
[network]
config = "b"
resolution = [64]
[hardware]
boards = ["pynq-z2", "ulx3s-85f"]
lanes = 16
array_out = [4, 8]
depthwise_units = [1, 2, 3]
spad_words = [2048, 4096, 8192]
spad_banks = [2, 4]
memory_ports = 1
plans = 14
"""


class Inline:
    """An executor that answers by a formula in which every setting counts; ``stop`` ends it after so many answers."""

    def __init__(self, stop: int | None = None):
        self.stop, self.done = stop, 0

    def run(self, tasks):
        for task in reversed(tasks):  # answers come in any order
            if self.done == self.stop:
                raise KeyboardInterrupt
            self.done += 1
            yield task, Answer(answer_by_formula(task), 0.5)

    def close(self) -> None:
        pass


def answer_by_formula(task) -> dict:
    from codesign.boards import load_board

    config = load_board(task.subject["design"]).accelerator
    if config.spad_words == 2048 and config.array_out == 4:
        return {"refused": "one row does not fit"}
    cycles = 4e6 / config.array_out + 2e6 / config.depthwise_units + 3e8 / config.spad_words + 1e5 / config.spad_banks
    better = 0.97 if task.subject["policies"] == "all" else 1
    return {"cycles": round(cycles * better), "read_bytes": 40_000 + 10**8 // config.spad_words, "write_bytes": 1000, "instructions": 9}


@pytest.fixture(autouse=True)
def _lowered_once(monkeypatch):
    """The sweep's network is made once for all tests."""
    monkeypatch.setattr(random_net, "random_graph", _made)


@lru_cache
def _made(*given, **named):
    return _random_graph(*given, **named)


@pytest.fixture
def small(tmp_path: Path) -> SweepSpec:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return load_spec(path)
