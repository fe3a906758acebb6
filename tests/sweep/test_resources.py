# SPDX-License-Identifier: Apache-2.0
"""The resource model against configurations that Yosys synthesised, each left out of the fit in turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesign.boards import load_board
from codesign.sweep.resources import estimate, left_out, read_samples, spad_blocks


@pytest.mark.parametrize("count", ["dsp", "bram36"])
def test_rules_of_the_hardware_are_exact_or_nearly_so(count):
    for sample, found in left_out():
        assert getattr(found, count) == pytest.approx(sample.total[count], abs=0 if count == "dsp" else 0.06 * sample.total[count])


def test_parts_add_up_to_the_whole():
    for sample in read_samples():
        for count in ("lut", "ff", "bram36"):
            assert sum(part[count] for part in sample.parts.values()) == sample.total[count]


def test_more_of_anything_takes_more():
    plain = load_board("pynq-z2")
    least = estimate(plain)
    for name, value in {"array_out": 32, "depthwise_units": 5, "spad_banks": 8, "spad_words": 16384}.items():
        more = estimate(replace(plain, accelerator=replace(plain.accelerator, **{name: value})))
        assert more.lut + 100 * more.bram36 + 100 * more.dsp > least.lut + 100 * least.bram36 + 100 * least.dsp


def test_scratchpad_of_the_shipped_boards():
    # boards/*.toml: 96 of the PYNQ-Z2's block RAMs, 160 of the Ultra96's
    assert spad_blocks(load_board("pynq-z2").accelerator) == 96
    assert spad_blocks(load_board("ultra96-v2").accelerator) == 160


@pytest.mark.parametrize("count", ["lut", "ff", "dsp", "bram36"])
def test_configurations_left_out_of_the_fit_are_within_ten_percent(count):
    errors = {sample.config: getattr(found, count) / sample.total[count] - 1 for sample, found in left_out()}
    assert max(map(abs, errors.values())) <= 0.10, errors
