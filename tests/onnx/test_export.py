# SPDX-License-Identifier: Apache-2.0
"""Export: what is written is imported to the very same codes, passes ONNX's checker, and other engines agree with it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from codesign.build.options import BuildOptions
from codesign.build.steps.lower import lowered
from codesign.cli import main
from codesign.errors import UserError
from codesign.golden import run
from codesign.graph.ir import (
    Add,
    Concat,
    Conv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Requant,
    Slice,
    Tensor,
    Upsample,
)
from codesign.graph.rules import check
from codesign.lower.random_net import random_graph
from codesign.numeric import add_parameters, normalise_multiplier, requant_parameters
from codesign.onnx import import_model, import_proto
from codesign.onnx.export import FORMATS, export_model, export_proto
from tests.onnx.agreement import codes_of, compare_layers
from tests.onnx.engines import qonnx_reals, runtime_tensors

GRAPHS = {
    "shipped b": lambda: lowered(BuildOptions("pynq-z2")),
    "random, pairs": lambda: random_graph("b", height=64, width=64, form="pairs", seed=3),
    "random, 8 bits": lambda: random_graph("a", height=32, width=64, weight_bits=8, seed=1),
    "residual": lambda: residual(0),
}


def residual(seed: int) -> Graph:
    """Small, with what the detector lacks: additions, an average, pads, strides, zero channels, an output that is only moved."""
    rng = np.random.default_rng(seed)
    tensors = {"in": Tensor("in", (5, 9, 9), float(rng.uniform(0.01, 0.1)), 7)}
    nodes = []

    def tensor(name: str, shape: tuple[int, int, int], scale: float | None = None, zero: int | None = None) -> Tensor:
        scale = float(rng.uniform(0.02, 0.2)) if scale is None else scale
        tensors[name] = Tensor(name, shape, scale, int(rng.integers(-128, 128)) if zero is None else zero)
        return tensors[name]

    def conv(name: str, source: str, cout: int, kernel: int, stride: int, depthwise: bool, bits: int, lo: int, hi: int) -> str:
        given = tensors[source]
        limit = 7 if bits == 4 else 127
        weight = rng.integers(-limit - 1, limit + 1, (cout, 1 if depthwise else given.shape[0], kernel, kernel)).astype(np.int8)
        weight[0] = 0
        side = (given.shape[1] + 2 * (kernel // 2) - kernel) // stride + 1
        made = tensor(name, (cout, side, side))
        spread = np.sqrt(weight[0].size) * limit * 40
        scales = rng.uniform(0.3, 3, cout) * 40 * made.scale / spread / given.scale
        values = requant_parameters(weight, given.scale, scales, made.scale, given.zero_point, rng.normal(0, 20, cout) * made.scale, name)
        layout = (stride, kernel // 2, cout if depthwise else 1)
        nodes.append(Conv(name, (source,), name, weight, bits, Requant(*values, made.zero_point, lo, hi), *layout))
        return name

    def add(name: str, a: str, b: str) -> str:
        made = tensor(name, tensors[a].shape)
        multipliers, shift = add_parameters(tensors[a].scale, tensors[b].scale, made.scale, name)
        nodes.append(Add(name, (a, b), name, multipliers, shift, made.zero_point, -100, 127))
        return name

    x = conv("first", "in", 8, 3, 2, False, 8, -128, 127)
    for block in range(4):
        x = add(f"sum{block}", conv(f"branch{block}", x, 8, 3, 1, True, 4, -90, 101), x)
    pooled = MaxPool("pool", (x,), "pool", 3, 1, 1)
    parts = [Slice("left", ("pool",), "left", 0, 3), Slice("right", ("pool",), "right", 3, 8)]
    nodes.extend([pooled, *parts, Concat("turned", ("right", "left"), "turned"), Upsample("grown", ("turned",), "grown")])
    for node, shape in zip(nodes[-5:], ((8, 5, 5), (3, 5, 5), (5, 5, 5), (8, 5, 5), (8, 10, 10))):
        tensor(node.output, shape, tensors[x].scale, tensors[x].zero_point)
    source, made = tensors[x], tensor("mean", (8, 1, 1))
    ones = np.ones((8, 25), np.int8)
    values = requant_parameters(ones, source.scale, 1 / 25, made.scale, source.zero_point)
    nodes.append(GlobalAveragePool("mean", (x,), "mean", Requant(*values, made.zero_point)))
    conv("logits", "mean", 10, 1, 1, False, 4, -128, 127)
    graph = Graph(tensors["in"], tuple(nodes), tensors, {"logits": "logits", "map": "grown", "again": "grown", "sum": "sum0"})
    check(graph)
    return graph


def inputs(graph: Graph, count: int = 2) -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(-128, 128, graph.input.shape).astype(np.int8) for seed in range(count)]


@pytest.fixture(scope="module", params=GRAPHS)
def graph(request) -> Graph:
    return GRAPHS[request.param]()


@pytest.fixture(scope="module", params=FORMATS)
def exported(request, graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    return request.param, path, export_model(graph, path, request.param)


def test_imported_again_every_tensor_is_the_same(graph, exported):
    _, path, written = exported
    again = import_model(path)
    assert set(written.names) == {graph.input.name, *(node.output for node in graph.nodes)}
    assert again.outputs == {role: written.names[name] for role, name in graph.outputs.items()}
    for codes in inputs(graph):
        ours, theirs = run(graph, codes), run(again, codes)
        for name, other in written.names.items():
            np.testing.assert_array_equal(ours[name], theirs[other], err_msg=name)


def test_the_checker_passes_and_operators_are_the_formats(exported):
    form, path, _ = exported
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=form == "onnx")
    domains = {node.domain for node in model.graph.node}
    assert domains == ({""} if form == "onnx" else {"", "qonnx.custom_op.general"})
    deformable = any(node.op_type == "DeformConv" for node in model.graph.node)
    assert next(o.version for o in model.opset_import if not o.domain) == (19 if form == "onnx" or deformable else 13)


def test_onnx_runtime_agrees_layer_by_layer(exported):
    """Standard operators, graph optimisations disabled; DeformConv included."""
    form, path, _ = exported
    if form == "onnx":
        assert_agreement(path, runtime_tensors)


def test_qonnx_agrees_layer_by_layer(tmp_path):
    """Quant nodes in qonnx's own executor, where every operator is a session."""
    export_model(residual(0), tmp_path / "model.onnx", "qonnx")
    assert_agreement(tmp_path / "model.onnx", qonnx_reals)


@pytest.mark.slow
def test_qonnx_agrees_on_whole_detectors(graph, exported):
    form, path, _ = exported
    if form == "qonnx":
        assert_agreement(path, qonnx_reals)


def assert_agreement(path, engine) -> None:
    """At least 99.9 % of each layer's codes where it is fed the engine's own, the rest off by one."""
    again = import_model(path)
    tensors = {again.input.name: again.input, **again.tensors}
    given = again.input
    for codes in inputs(again, 1):
        image = ((codes.astype(np.float64) - given.zero_point) * given.scale).astype(np.float32)[None]
        found = engine(path, image, list(tensors))
        theirs = {name: v if v.dtype == np.int8 else codes_of(tensors[name], v) for name, v in found.items() if name in tensors}
        theirs = {name: v.reshape(tensors[name].shape) for name, v in theirs.items()}
        np.testing.assert_array_equal(theirs[given.name], codes)
        for name, (share, worst) in compare_layers(again, theirs).items():
            values = tensors[next(node.output for node in again.nodes if node.name == name)].values
            assert worst <= 1 and (share >= 0.999 or round((1 - share) * values) <= 1), (name, share, worst)


def test_random_small_graphs(tmp_path):
    """Additions and averages, whose constants follow from scales alone, survive single precision too."""
    for seed in range(1, 25):
        graph = residual(seed)
        for form in FORMATS:
            written = export_proto(graph, form)
            again = import_proto(written.proto)
            for codes in inputs(graph, 1):
                ours, theirs = run(graph, codes), run(again, codes)
                assert all(np.array_equal(ours[name], theirs[other]) for name, other in written.names.items()), (seed, form)


def test_weights_of_four_bits_stay_small(graph, exported):
    form, path, _ = exported
    model = onnx.load(str(path))
    weights = [t for t in model.graph.initializer if t.name.endswith(".weight")]
    assert len(weights) == sum(hasattr(node, "weight") for node in graph.nodes)
    assert {numpy_helper.to_array(t).dtype.name for t in weights} == ({"int8"} if form == "onnx" else {"float32"})


def test_names_that_collide(tmp_path):
    """Outputs named like other tensors, and tensors named like what exporting invents."""
    graph = random_graph("b", height=32, width=32)
    outputs = {"image": "hm.last", "stem": "wh.last", "image.codes": "reg.last"}
    renamed = Graph(graph.input, graph.nodes, graph.tensors, outputs, {"config": "b"})
    for form in FORMATS:
        with pytest.raises(UserError, match="'image'"):
            export_proto(renamed, form)
        del_image = {role: name for role, name in outputs.items() if role != "image"}
        written = export_proto(Graph(graph.input, graph.nodes, graph.tensors, del_image, {}), form)
        again = import_proto(written.proto)
        assert set(again.outputs) == set(del_image)


def test_what_cannot_be_written_is_refused_by_name():
    graph = residual(2)
    nodes = tuple(
        Add(n.name, n.inputs, n.output, (n.multipliers[0], n.multipliers[1] // 2), n.shift, n.zero_point) if n.name == "sum1" else n
        for n in graph.nodes
    )
    with pytest.raises(UserError, match="'sum1'.*do not follow from its scales"):
        export_proto(Graph(graph.input, nodes, graph.tensors, graph.outputs))
    assert normalise_multiplier(1.0)[0] >= 1 << 15


def test_command(capsys, tmp_path):
    out = tmp_path / "model.onnx"
    assert main(["export", "--format", "onnx", "--out", str(out)]) == 0
    assert "DeformConv" in {node.op_type for node in onnx.load(str(out)).graph.node}
    said = capsys.readouterr().out
    assert "137 tensors" in said and "imported again" in said
    assert main(["export", str(out), "--format", "qonnx", "--out", str(tmp_path / "again.onnx")]) == 0
    for wrong in (["--format", "tflite", "--out", str(out)], ["--out", str(tmp_path / "no" / "folder.onnx")], [str(tmp_path / "none"), "--out", "x"]):
        capsys.readouterr()
        assert main(["export", *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
