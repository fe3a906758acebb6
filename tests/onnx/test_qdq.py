# SPDX-License-Identifier: Apache-2.0
"""A QDQ model made by onnxruntime.quantization, each layer beside ONNX Runtime's own codes."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.golden import run
from codesign.graph.ir import Add, Conv, GlobalAveragePool
from codesign.onnx import import_model
from tests.onnx.agreement import compare_layers
from tests.onnx.mobilenet import export_float, picture, quantise, runtime_codes


@pytest.fixture(scope="module", params=[False, True], ids=["uint8", "int8"])
def quantised(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("qdq")
    return quantise(export_float(folder / "float.onnx"), folder / "qdq.onnx", signed=request.param)


def reference(graph, path, seed: int) -> dict[str, np.ndarray]:
    tensors = {graph.input.name: graph.input, **graph.tensors}
    found = runtime_codes(path, picture(seed), list(tensors))
    return {name: found[name].reshape(tensor.shape) for name, tensor in tensors.items()}


def test_each_layer_agrees_with_onnx_runtime(quantised):
    graph = import_model(quantised)
    rows: dict[str, list] = {}
    for seed in range(10, 14):
        for name, row in compare_layers(graph, reference(graph, quantised, seed)).items():
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
