# SPDX-License-Identifier: Apache-2.0
"""A network of plain brevitas.nn layers through export_qonnx, import, and golden beside qonnx's own execution."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from codesign.golden import run
from codesign.graph.ir import Add, Conv, GlobalAveragePool
from codesign.onnx import import_model
from codesign.plan import plan
from codesign.program.config import AcceleratorConfig
from codesign.program.emulator import Emulator
from tests.onnx.agreement import codes_of, compare_layers
from tests.onnx.brevitas_net import Residual, Trunk, export
from tests.onnx.engines import qonnx_reals


@pytest.fixture(scope="module", params=[Trunk, Residual], ids=lambda network: network.__name__)
def exported(request, tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        return export(request.param, tmp_path_factory.mktemp("qonnx") / "model.onnx")


def test_each_layer_agrees_with_qonnx(exported):
    graph = import_model(exported)
    rows: dict[str, list] = {}
    for seed in range(3):
        image = np.random.default_rng(seed).uniform(-1, 1, (1, *graph.input.shape)).astype(np.float32)
        reals = qonnx_reals(exported, image)
        tensors = {graph.input.name: graph.input, **graph.tensors}
        theirs = {name: codes_of(tensor, reals[name]) for name, tensor in tensors.items()}
        for name, row in compare_layers(graph, theirs).items():
            rows.setdefault(name, []).append(row)
    for name, found in rows.items():
        assert np.mean([share for share, _ in found]) >= 0.999, (name, found)
        assert max(worst for _, worst in found) <= 1, (name, found)


def test_free_running_outputs_stay_close(exported):
    graph = import_model(exported)
    image = np.random.default_rng(9).uniform(-1, 1, (1, *graph.input.shape)).astype(np.float32)
    reals = qonnx_reals(exported, image)
    values = run(graph, codes_of(graph.input, image[0]))
    for name, tensor in graph.outputs.items():
        gap = np.abs(values[tensor].astype(int) - codes_of(graph.tensors[tensor], reals[name]))
        assert (gap <= 1).mean() > 0.98


def test_weights_keep_their_bits_and_structure(exported):
    graph = import_model(exported)
    convolutions = [node for node in graph.nodes if isinstance(node, Conv)]
    assert {node.weight_bits for node in convolutions} == {4, 8}
    assert {node.weight.shape[2:] for node in convolutions if node.groups > 1} >= {(5, 5)}
    residual = any(isinstance(node, Add) for node in graph.nodes)
    assert residual == any(isinstance(node, GlobalAveragePool) for node in graph.nodes)


def test_the_planned_program_computes_what_golden_does(exported):
    graph = import_model(exported)
    codes = np.random.default_rng(1).integers(-128, 128, graph.input.shape).astype(np.int8)
    program = plan(graph, AcceleratorConfig()).program
    memory = np.zeros(program.dram_bytes, np.uint8)
    memory[: len(program.content)] = program.content
    program.write_input(memory, codes)
    Emulator(program, memory).run()
    values = run(graph, codes)
    for role, name in graph.outputs.items():
        np.testing.assert_array_equal(program.outputs[role].read(memory, program.config.lanes), values[name])
