# SPDX-License-Identifier: Apache-2.0
"""QDQ models made by onnxruntime.quantization, each layer beside ONNX Runtime's own codes: MobileNetV2 and blocks of it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from codesign.cli import main
from codesign.golden import run
from codesign.graph.ir import Add, Conv, GlobalAveragePool
from codesign.onnx import import_model
from tests.build.fakes import fast  # noqa: F401 - a fixture
from tests.onnx.agreement import compare_layers
from tests.onnx.mobilenet import MobileNetV2, export_float, picture, quantise, runtime_codes


@pytest.fixture(scope="module", params=[False, True], ids=["uint8", "int8"])
def quantised(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("qdq")
    return quantise(export_float(folder / "float.onnx"), folder / "qdq.onnx", signed=request.param)


def reference(graph, path, seed: int, size: int = 32) -> dict[str, np.ndarray]:
    tensors = {graph.input.name: graph.input, **graph.tensors}
    found = runtime_codes(path, picture(seed, size), list(tensors))
    return {name: found[name].reshape(tensor.shape) for name, tensor in tensors.items()}


def test_each_layer_agrees_with_onnx_runtime(quantised):
    assert_agreement(import_model(quantised), quantised, range(10, 14))


def assert_agreement(graph, path, seeds, size: int = 32) -> None:
    """At least 99 % of each layer's codes, over pictures of these seeds, the rest off by one."""
    rows: dict[str, list] = {}
    for seed in seeds:
        for name, row in compare_layers(graph, reference(graph, path, seed, size)).items():
            rows.setdefault(name, []).append(row)
    for name, found in rows.items():
        assert np.mean([share for share, _ in found]) >= 0.99, (name, found)
        assert max(worst for _, worst in found) <= 1, (name, found)


def test_free_running_logits_stay_close(quantised):
    graph = import_model(quantised)
    theirs = reference(graph, quantised, 20)
    values = run(graph, theirs[graph.input.name])
    (name,) = graph.outputs.values()
    assert np.abs(values[name].astype(int) - theirs[name]).max() <= 3


def test_structure(quantised):
    graph = import_model(quantised)
    kinds = [type(node) for node in graph.nodes]
    assert (kinds.count(Add), kinds.count(GlobalAveragePool)) == (1, 1)
    assert sum(isinstance(node, Conv) and node.groups > 1 for node in graph.nodes) == 3
    assert graph.outputs["logits"] in graph.tensors
    assert graph.tensors[graph.outputs["logits"]].shape == (10, 1, 1)


SIZES = [(0.5, 64, False), pytest.param((1.0, 224, True), marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=SIZES, ids=["0.5 at 64, uint8", "1.0 at 224, int8"])
def mobilenetv2(request, tmp_path_factory):
    """(path, side) of the whole network."""
    width, side, signed = request.param
    folder = tmp_path_factory.mktemp("mobilenetv2")
    return quantise(export_float(folder / "float.onnx", side, partial(MobileNetV2, width)), folder / "qdq.onnx", signed, side), side


def test_mobilenetv2_agrees_with_onnx_runtime(mobilenetv2):
    path, side = mobilenetv2
    graph = import_model(path)
    kinds = [type(node) for node in graph.nodes]
    assert (kinds.count(Add), kinds.count(GlobalAveragePool), kinds.count(Conv)) == (10, 1, 53)
    assert_agreement(graph, path, range(10, 12), side)


def test_mobilenetv2_builds(fast, mobilenetv2, capsys):  # noqa: F811
    """Every step, an instruction-set model in place of the RTL; and `codesign check` predicts it."""
    path, _ = mobilenetv2
    assert main(["check", str(path), "--board", "pynq-z2"]) == 0
    assert "frames/s at 100 MHz" in capsys.readouterr().out
    assert main(["build", "--model", str(path), "--board", "pynq-z2", "--out", str(path.parent / "out")]) == 0
    said = capsys.readouterr().out
    assert " 0 mismatches" in said and "output logits: class " in said
