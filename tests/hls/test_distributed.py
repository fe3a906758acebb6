# SPDX-License-Identifier: Apache-2.0
"""1x1 layers through da4ml: exact with rounding half to even, in Python's model and, in the build, under Verilator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("da4ml")

from codesign.build import BuildOptions, build
from codesign.build.hls.da4ml import PIXELS, Da4mlStep
from codesign.build.steps.golden import GoldenStep
from codesign.build.steps.lower import LowerStep
from codesign.graph.files import save_graph
from codesign.graph.ir import Conv
from codesign.hls.distributed import _requantised, carried, harness, top, unroll
from codesign.numeric import requantise
from tests.hls.cases import requant, weights
from tests.hls.small_graph import small_graph


def layer(seed: int, inputs: int, outputs: int) -> Conv:
    rng = np.random.default_rng(seed)
    weight = weights(rng, (outputs, inputs, 1, 1), 4)
    return Conv("layer", ("x",), "y", weight, 4, requant(rng, weight))


@pytest.mark.parametrize("seed", range(6))
def test_requantisation_is_the_contracts(seed: int) -> None:
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

    node = layer(seed, 5, 4)
    x = FixedVariableArray.from_kif(np.ones(5, bool), np.full(5, 7), np.zeros(5, int), HWConfig(1, -1, -1))
    acc = x @ node.weight.reshape(4, 5).T.astype(np.float64)
    results = FixedVariableArray(np.array([_requantised(acc[c], node, c) for c in range(4)]), hwconf=x.hwconf)
    codes = np.random.default_rng(seed).integers(-128, 128, (2000, 5))
    r = node.requant
    want = requantise((codes @ node.weight.reshape(4, 5).T).T, r.multiplier, r.bias, r.shift, r.zero_point, r.lo, r.hi).T
    assert np.array_equal(comb_trace(x, results).predict(codes.astype(np.float64)), want)


def test_what_is_written(tmp_path) -> None:
    made = unroll(layer(1, 5, 4), "da0", tmp_path)
    assert made.stages >= 2 and (tmp_path / "da0" / "src" / "da0_codes.v").exists()
    assert "da0_codes layer0" in top([made]) and f"t < 100 + {made.stages}" in harness([made], 100)


def test_only_1x1_layers_of_few_weights_are_carried() -> None:
    small, large = carried(small_graph())
    assert [node.name for node in small] == ["mix", "offset", "hm", "wh"] and not large


@pytest.mark.slow
@pytest.mark.parametrize("slip", [0, 1])
def test_verilog_is_golden_under_verilator_and_a_wrong_constant_is_found(slip: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slipped(node: Conv, *rest):
        return unroll(replace(node, requant=replace(node.requant, zero_point=node.requant.zero_point + slip)), *rest)

    monkeypatch.setattr("codesign.hls.distributed.unroll", slipped)
    save_graph(small_graph(), tmp_path / "graph.safetensors")
    options = BuildOptions("pynq-z2", model=tmp_path / "graph.safetensors", out=tmp_path / "build", backend="hls4ml")
    step = build(options, steps=[LowerStep(), GoldenStep(), Da4mlStep()]).steps[-1]
    rows = step.facts["layers"]
    assert [row["name"] for row in rows] == ["mix", "offset", "hm", "wh"]
    assert step.status == ("failed" if slip else "verified"), step.reason
    assert sum(row["values"] for row in rows) == PIXELS * (2 + 1 + 3 + 2)
    assert all((row["mismatches"] > 0) == bool(slip) and row["lut"] > 0 for row in rows)
