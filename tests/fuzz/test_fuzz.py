# SPDX-License-Identifier: Apache-2.0
"""Random layers through RTL equal golden, with and without DRAM stalls. A failure names its seed:
``python -m codesign.verify.fuzz --cases 1 --seed N`` repeats it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.boards import load_board
from codesign.verify.fuzz import CONFIG, library, run_case

#: Operators every campaign must reach, views included.
KINDS = {"Conv", "DeformConv", "MaxPool", "Upsample", "Slice", "Concat", "Shuffle", "Add", "GlobalAveragePool"}


@pytest.fixture(scope="module")
def built() -> Path:
    return library(CONFIG)


def campaign(built: Path, seeds: range) -> Counter:
    """Counts of equal and refused cases and of operators; fails on the first difference."""
    board = replace(load_board("pynq-z2"), accelerator=CONFIG)
    tally: Counter = Counter()
    for seed in seeds:
        case = run_case(built, board, seed)
        if case.refused:
            assert "fits one word" in case.problem, case
            tally["refused"] += 1
            continue
        assert not case.problem, f"seed {seed} ({', '.join(case.kinds)}): {case.problem}"
        tally.update(["equal", *case.kinds])
        tally["values"] += case.values
    return tally


def test_twenty_random_networks_equal_golden(built: Path) -> None:
    tally = campaign(built, range(20))
    assert tally["equal"] >= 10


@pytest.mark.slow
def test_a_thousand_random_networks_equal_golden(built: Path) -> None:
    tally, at = Counter(), 1000
    while tally["equal"] < 1000:
        tally += campaign(built, range(at, at + 100))
        at += 100
    assert set(tally) >= KINDS
    print(f"{tally['equal']} cases, {tally['values']:,} values, 0 different")
