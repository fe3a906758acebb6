# SPDX-License-Identifier: Apache-2.0
"""Random layers and networks through RTL equal golden. A failure names its case; `codesign fuzz` shrinks it, and what it
saved is replayed here from ``tests/fuzz/cases``."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.fuzz.boundaries import BOUNDARIES
from codesign.fuzz.case import Case, drawn, read
from codesign.fuzz.coverage import Coverage
from codesign.fuzz.machines import CONFIG, MACHINES, library
from codesign.fuzz.trial import DIFFERENT, REFUSED, run_case

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
#: Operators every campaign must reach, views included.
KINDS = {"Conv", "DeformConv", "MaxPool", "Upsample", "Slice", "Concat", "Shuffle", "Add", "GlobalAveragePool"}


@pytest.fixture(scope="module")
def built() -> Path:
    return library(CONFIG)


def campaign(built: Path, kind: str, seeds: range) -> tuple[Counter, Coverage]:
    """Counts by outcome and what was reached, on the first accelerator; fails on the first difference."""
    tally, coverage = Counter(), Coverage()
    for seed in seeds:
        outcome = run_case(replace(drawn(kind, seed), machine=CONFIG), built)
        assert outcome.status != DIFFERENT, f"{kind} {seed}: {outcome.problem}"
        tally[outcome.status] += 1
        if outcome.status == REFUSED:
            assert any(words in outcome.problem for words in ("spad_words", "fits one word")), outcome.problem
        else:
            coverage.merge(json.loads(json.dumps(coverage.new(outcome.seen))))
    return tally, coverage


def test_thirty_random_layers_equal_golden(built):
    tally, coverage = campaign(built, "layer", range(30))
    assert tally["equal"] >= 25
    least, greatest, ones, zeros = coverage.fields["POINTWISE.z_in"]
    assert least < 0 < greatest and (ones & zeros) == 0xFF  # every bit of the field was 0 and 1
    assert set(coverage.boundaries) <= set(BOUNDARIES)
    assert coverage.stalls["pointwise: param"] and coverage.stalls["depthwise: token"]


def test_five_random_networks_equal_golden(built):
    tally, _ = campaign(built, "network", range(5))
    assert tally["equal"] >= 4


@pytest.mark.slow
def test_a_thousand_random_layers_and_thirty_networks_equal_golden(built):
    tally, coverage = campaign(built, "layer", range(1000, 2050))
    assert tally["equal"] >= 1000
    assert set(coverage.operators) >= KINDS
    tally, _ = campaign(built, "network", range(1000, 1033))
    assert tally["equal"] >= 30


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_once_differed_is_equal(path, built):
    case = read(path)
    outcome = run_case(case, built if case.machine == CONFIG else library(case.machine))
    assert outcome.status == "equal", outcome.problem


def test_machines_reach_both_ends_of_every_setting():
    assert MACHINES[0] == CONFIG and len(set(MACHINES)) == len(MACHINES)
    for name, ends in {
        "lanes": {16, 32}, "array_out": {4, 32}, "depthwise_units": {1, 5}, "acc_bits": {24, 32}, "acc_depth": {32, 4096},
        "spad_banks": {1, 16}, "depthwise_requant": {1, 16}, "queue_depth": {2, 64}, "pointwise_param_beats": {16},
        "depthwise_param_beats": {16}, "memory_ports": {1, 2},
    }.items():  # fmt: skip
        assert ends <= {getattr(machine, name) for machine in MACHINES}, name


def test_a_case_is_its_seed_and_its_file(tmp_path):
    case = replace(drawn("network", 7), crop=(3, 4), output="n1")
    assert case == replace(drawn("network", 7), crop=(3, 4), output="n1") and isinstance(case, Case)
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case.document("what was wrong")))
    assert read(path) == case
