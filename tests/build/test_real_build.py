# SPDX-License-Identifier: Apache-2.0
"""The real build, and what was planted in its artefacts: every fault makes it fail and names the place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from codesign.boards import load_board
from codesign.build import BuildOptions, build
from codesign.build.step import Context
from codesign.build.steps import all_steps
from codesign.diff import Finding, check_layers, clearest
from codesign.diff.observers import RtlObserver
from tests.build.test_build import flip_weight_bit

pytestmark = pytest.mark.slow

FAULTS = {
    "no rounding": (r"= odd \? near\[1\] : near\[0\];", "= 1'h0;", "rounding"),
    "tap address off by one": (r"= \$signed\(s1_x\) \+ \$signed\(s1_dx\);", "= $signed(s1_x) + $signed(s1_dx) + 13'sh1;", "taps read +0 rows, +1 columns away"),
}


def options(folder: Path) -> BuildOptions:
    return BuildOptions("pynq-z2", height=64, width=64, out=folder)


def steps():
    """All but the synthesis estimate, which says nothing about correctness."""
    return [step for step in all_steps() if step.name != "synthesise"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("real")
    result = build(options(path), steps=steps())
    assert {s.name: s.status for s in result.steps}["simulate"] == "verified", result.steps
    return path


def assert_located(result) -> None:
    step = next(step for step in result.steps if step.name == "simulate")
    assert result.failed, step.reason
    assert re.search(r"layer \S+, tensor \S+, channel \d+, y \d+, x \d+: got (-?\d+|nothing), want -?\d+", step.reason)


def first_difference(folder: Path) -> Finding:
    """What `codesign diff --on rtl` says of the folder: the first layer, or the first whose fault one rule explains."""
    context = Context(options(folder), load_board("pynq-z2"), folder, lambda _: None, lambda _: None)
    seen = RtlObserver(context).observe(context.codes)
    wrong = [check for check in check_layers(context.graph, seen.tensors) if check.differing]
    first = Finding.of(wrong[0])
    return first if first.explanation is not None else clearest(wrong)


def test_busy_cycles_of_the_program_are_the_counters(folder):
    """What the profile reads off the program is what the RTL counted, engine by engine. (First: faults fail the folder's report.)"""
    report = json.loads((folder / "report.json").read_text())
    counted = {name: row["busy"] for name, row in report["cycles"]["engines"].items()}
    issued = dict.fromkeys(counted, 0)
    for layer in report["cycles"]["layers"]:
        for engine, busy in layer["busy"].items():
            issued[engine] += busy
    assert issued == counted
    for kind, units in (("pointwise", 1), ("depthwise", 3)):
        assert report["cycles"][kind]["total"] == units * report["cycles"]["total"]


def test_flipped_weight_bit(folder):
    path = folder / "program.bin"
    before = path.read_bytes()
    flip_weight_bit(folder)
    assert_located(build(options(folder), steps=steps()))
    found = first_difference(folder).explanation
    assert found.certain and found.rule.startswith("weight ")
    path.write_bytes(before)
    assert not build(options(folder), steps=steps()).failed


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_in_the_rtl(fault, folder):
    path = folder / "rtl" / "codesign_accelerator.v"
    before = path.read_text()
    pattern, replacement, _ = FAULTS[fault]
    planted, count = re.subn(pattern, replacement, before)
    assert count > 0
    path.write_text(planted)
    try:
        assert_located(build(options(folder), steps=steps()))
        found = first_difference(folder)
        assert FAULTS[fault][2] in found.explanation.rule, found.explanation
    finally:
        path.write_text(before)


def test_whole_frame_of_b(tmp_path):
    """256 x 256, calibrated random weights, within the cycles promised."""
    result = build(BuildOptions("pynq-z2", config="b", height=256, width=256, out=tmp_path), steps=steps())
    facts = {step.name: step.facts for step in result.steps}["simulate"]
    assert facts["mismatches"] == 0
    assert facts["values"] > 8_000_000
    assert facts["cycles"] <= 1_400_000
