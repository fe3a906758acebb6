# SPDX-License-Identifier: Apache-2.0
"""The floating-point network is the integer one's: its tensors follow golden's reals."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from codesign.bench.float_onnx import float_model, real_weights
from codesign.bench.float_time import float_session, float_time, real_image
from codesign.golden import image_codes, run
from codesign.graph.ir import Graph, Requant
from codesign.lower.random_net import calibration_image, random_graph


def closeness(graph: Graph, names: dict[str, str]) -> dict[str, float]:
    """Correlation of ONNX Runtime's float tensors with golden's, dequantised."""
    pytest.importorskip("onnxruntime")
    codes = image_codes(calibration_image(graph))
    golden = run(graph, codes)
    shown = Graph(graph.input, graph.nodes, graph.tensors, names, graph.meta)
    found = float_session(shown).run(None, {graph.input.name: real_image(graph, codes)})
    result = {}
    for (role, name), real in zip(names.items(), found, strict=True):
        tensor = graph.tensors[name]
        assert real.shape == (1, *tensor.shape)
        want = (golden[name].astype(np.float64) - tensor.zero_point) * tensor.scale
        result[role] = float(np.corrcoef(want.ravel(), real.ravel())[0, 1])
    return result


@pytest.mark.parametrize("form", ["square", "pairs"])
def test_float_tensors_follow_golden(form):
    """Random 4-bit weights amplify rounding with depth; an offset that rounds otherwise moves a whole pixel."""
    graph = random_graph("b", height=128, width=128, form=form)
    names = {"stem": "stem", "unit": "stage1.1.shuffle", "deep": "stage2.3.shuffle", "offsets": "decoder1.offset",
             "deform": "decoder1.depthwise", "up": "decoder1.upsample"}  # fmt: skip
    close = closeness(graph, names)
    assert close["stem"] > 0.999
    assert close["unit"] > 0.99
    assert close["deep"] > 0.95
    assert close["offsets"] > 0.9
    assert close["deform"] > 0.6 and close["up"] > 0.5


def test_real_weights_undo_requantisation():
    rng = np.random.default_rng(0)
    codes = rng.integers(-7, 8, (5, 4, 3, 3)).astype(np.int8)
    requant = Requant(rng.integers(1 << 15, 1 << 16, 5), rng.integers(16, 24, 5), rng.integers(-(1 << 20), 1 << 20, 5), 3)
    weight, bias = real_weights(codes, requant, (0.02, -10), 0.05)
    q = rng.integers(-128, 128, (4, 3, 3))
    acc = (codes.astype(np.int64) * q).sum(axis=(1, 2, 3))
    integer = 0.05 * (acc * requant.multiplier + requant.bias) / 2.0**requant.shift
    assert np.allclose((weight * 0.02 * (q + 10)).sum(axis=(1, 2, 3)) + bias, integer)


def test_model_has_the_heads_as_outputs():
    graph = random_graph("a", height=64, width=64)
    model = float_model(graph)
    assert {output.name for output in model.graph.output} == {"hm", "wh", "reg"}


def test_without_onnx_runtime_the_reason_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    graph = random_graph("a", height=64, width=64)
    floats = float_time(graph, image_codes(calibration_image(graph)))
    assert floats.seconds is None
    assert "not installed: pip install 'codesign[bench]'" in floats.reason
