# SPDX-License-Identifier: Apache-2.0
"""Operators one by one: what golden computes of the imported graph is what the float reference says, on its grid."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from codesign.golden import run
from codesign.graph.ir import Concat, Conv, DeformConv, Graph, MaxPool, Shuffle, Slice, Upsample
from codesign.numeric import ACC_BITS
from codesign.onnx import import_proto
from codesign.onnx.normalise import normalise
from codesign.onnx.reference import evaluate
from tests.onnx.agreement import codes_of
from tests.onnx.builder import Builder


def reference(proto: onnx.ModelProto, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor by the floating-point reference."""
    model = normalise(proto)
    values = {**model.constants, "image": image}
    for operator in model.operators:
        inputs = [values.get(name) for name in operator.inputs]
        values.update(zip(operator.outputs, evaluate(operator.kind, inputs, operator.attributes)))
    return values


def agreeing(builder: Builder, *outputs: str, least: float = 0.999) -> Graph:
    """The imported graph, once its outputs equal the reference's but for one code in a thousand."""
    proto = builder.model(*outputs)
    graph = import_proto(proto)
    image = np.random.default_rng(5).uniform(-2, 2, (1, *graph.input.shape)).astype(np.float32)
    theirs = reference(proto, image)
    values = run(graph, codes_of(graph.input, theirs[graph.input.name]))
    for role, name in graph.outputs.items():
        want = codes_of(graph.tensors[name], theirs[role])
        gap = np.abs(values[name].astype(int) - want)
        assert gap.max() <= 1 and (gap == 0).mean() >= least, (role, gap.max(), (gap == 0).mean())
        assert np.unique(want).size > 2
    return graph


def kinds(graph: Graph) -> list[type]:
    return [type(node) for node in graph.nodes]


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("depthwise", [False, True])
def test_convolutions(kernel, stride, depthwise):
    b = Builder(4, 12)
    x = b.conv(b.quant("image"), 4, 4 if depthwise else 6, kernel, group=4 if depthwise else 1, strides=[stride] * 2)
    (node,) = agreeing(b, b.quant(x)).nodes
    assert (node.stride, node.pad, node.weight.shape[2], node.groups) == (stride, kernel // 2, kernel, 4 if depthwise else 1)


def test_same_padding_by_auto_pad():
    b = Builder()
    x = b.op("Conv", [b.quant("image"), b.weights(5, 3, 3, 3)], auto_pad="SAME_UPPER")
    assert agreeing(b, b.quant(x)).nodes[0].pad == 1


def test_batch_normalization_folds_with_negative_and_zero_gains():
    b, rng = Builder(), np.random.default_rng(1)
    x = b.conv(b.quant("image"), 3, 6, 3)
    gain = np.array([1, -1, 0, 0.5, -2, 3], np.float32)
    rest = [rng.normal(size=6).astype(np.float32), rng.normal(size=6).astype(np.float32), rng.uniform(0.5, 2, 6).astype(np.float32)]
    graph = agreeing(b, b.relu_quant(b.op("BatchNormalization", [x, gain, *rest])))
    assert kinds(graph) == [Conv]
    assert not graph.nodes[0].weight[2].any()


def test_batch_normalization_behind_a_quantiser_is_a_depthwise_convolution():
    b = Builder(4)
    values = [np.array([1.1234, -1.3717, 0.5741, 2.3319], np.float32), *[np.ones(4, np.float32)] * 3]
    graph = agreeing(b, b.quant(b.op("BatchNormalization", [b.quant("image"), *values])))
    assert [node.groups for node in graph.nodes] == [4]


@pytest.mark.parametrize("zero", [-128, -5, 0, 90])
def test_relu_and_clip_become_the_clamp(zero):
    b = Builder()
    x = b.conv(b.quant("image", zero=zero), 3, 8, 3)
    y = b.op("Clip", [x, np.float32(-0.5), np.float32(1.2)])
    graph = agreeing(b, b.quant(b.op("Relu", [x := b.conv(b.quant(y, zero=3), 8, 8)]), zero=-100))
    assert kinds(graph) == [Conv, Conv]
    assert (graph.nodes[0].requant.lo, graph.nodes[0].requant.hi) == (-13, 41)  # -16 + 3, round(38.4) + 3
    assert graph.nodes[1].requant.lo == -100


def test_relu_behind_a_quantiser_needs_no_node_where_codes_are_unsigned():
    b = Builder()
    x = b.relu_quant(b.conv(b.quant("image"), 3, 8))
    assert kinds(agreeing(b, b.op("Relu", [x]))) == [Conv]
    b = Builder()
    x = b.op("Relu", [b.quant(b.conv(b.quant("image"), 3, 8), zero=7)])
    assert kinds(agreeing(b, b.op("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2]))) == [Conv, Conv, MaxPool]


def test_a_tensor_may_have_several_readers():
    """A clamp behind a quantiser, and a convolution behind two equal quantisers, are made once."""
    b = Builder()
    x = b.op("Relu", [b.quant(b.conv(b.quant("image"), 3, 8), zero=7)])
    pooled = b.op("MaxPool", [x], kernel_shape=[3, 3], pads=[1] * 4)
    y = b.conv(b.op("Identity", [x]), 8, 8)
    graph = agreeing(b, b.op("Concat", [b.quant(y, 1 / 30), b.quant(y, 1 / 30)], axis=1), pooled)
    assert kinds(graph) == [Conv, Conv, MaxPool, Conv, Concat]


@pytest.mark.parametrize("mode", [("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil")])
def test_resize_by_two(mode):
    b = Builder()
    how = {"coordinate_transformation_mode": mode[0], "nearest_mode": mode[1]}
    x = b.op("Resize", [b.quant(b.conv(b.quant("image"), 3, 4)), "", np.array([1, 1, 2, 2], np.float32)], mode="nearest", **how)
    assert kinds(agreeing(b, x)) == [Conv, Upsample]


def test_split_slice_shuffle_and_concat():
    b = Builder()
    x = b.relu_quant(b.conv(b.quant("image"), 3, 8))
    left, right = b.op("Split", [x, np.array([3, 5])], outputs=2, axis=1)
    part = b.op("Slice", [right, *(np.array([v]) for v in (-4, 1000, 1))])
    joined = b.op("Concat", [left, part, b.op("Slice", [x, np.array([0]), np.array([5]), np.array([1])])], axis=1)
    y = b.op("Reshape", [joined, np.array([1, 3, 4, 8, 8])])
    y = b.op("Reshape", [b.op("Transpose", [y], perm=[0, 2, 1, 3, 4]), np.array([0, -1, 8, 8])])
    graph = agreeing(b, y)
    assert kinds(graph) == [Conv, Slice, Slice, Slice, Slice, Concat, Shuffle]


def test_concat_on_the_quantiser_behind_it():
    """Convolutions without a quantiser of their own, and codes on another grid, are brought to the one behind."""
    b = Builder()
    x = b.quant("image")
    parts = [b.conv(x, 3, 4), b.quant(b.conv(x, 3, 5, 3), 1 / 20.3, 9), x]
    graph = agreeing(b, b.quant(b.op("Concat", parts, axis=1), 1 / 25.7, -3), least=0.99)  # two roundings on the way
    assert len({graph.tensors[name].scale for name in graph.nodes[-1].inputs}) == 1


def test_average_and_dense_layer():
    b = Builder()
    x = b.relu_quant(b.conv(b.quant("image"), 3, 32, 3))
    x = b.quant(b.op("GlobalAveragePool", [x]), 1 / 64, signed=0)
    x = b.op("Gemm", [b.op("Flatten", [x]), b.weights(10, 32), np.linspace(-1, 1, 10, dtype=np.float32)], transB=1)
    graph = agreeing(b, b.quant(x, 1 / 100), least=0.9)  # ten values, on inputs that may be off by one
    assert graph.nodes[-1].weight.shape == (10, 32, 1, 1)


def test_addition_of_two_grids():
    b = Builder()
    x = b.quant("image")
    y, z = b.quant(b.conv(x, 3, 8), 1 / 19, 4), b.quant(b.conv(x, 3, 8, 3), 1 / 70, -60)
    agreeing(b, b.relu_quant(b.op("Add", [y, z])), least=0.99)


@pytest.mark.parametrize("form", ["pairs", "square"])
@pytest.mark.parametrize("whole", ["quantiser", "round"])
def test_deformable_convolution(form, whole):
    """Offsets from a quantiser with scale 1, or from Round and Clip."""
    b, square = Builder(3, 12), form == "square"
    x = b.quant("image")
    data, sums = b.relu_quant(b.conv(x, 3, 8)), b.conv(x, 3, 1 if square else 18, 3)
    ends = (np.float32(0 if square else -3), np.float32(3))
    if whole == "round":
        offsets = b.op("Clip", [b.op("Round", [sums]), *ends])
    else:
        offsets = b.quant(b.op("Clip", [sums, *ends]), 1.0)
    if square:
        grid = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)], np.float32).reshape(1, 18, 1, 1)
        offsets = b.op("Mul", [b.op("Sub", [offsets, np.float32(1)]), grid])
    y = b.op("DeformConv", [data, b.weights(8, 1, 3, 3), offsets], group=8, pads=[1] * 4)
    graph = agreeing(b, b.quant(y))
    (node,) = [node for node in graph.nodes if isinstance(node, DeformConv)]
    assert (node.form, node.bound) == (form, 3)


def test_weights_fold_through_transposes_and_linear_quantisers():
    b, rng = Builder(3, 1), np.random.default_rng(2)
    codes = rng.integers(-100, 100, (3, 4)).astype(np.int8)
    scale, zero = rng.uniform(0.01, 0.02, 4).astype(np.float32), np.zeros(4, np.int8)
    weight = b.op("DequantizeLinear", [codes, scale, zero], axis=1)
    x = b.op("MatMul", [b.op("Flatten", [b.quant("image")]), weight])
    x = b.op("Add", [x, np.array([0.5, -0.5, 0.1, 0], np.float32)])
    graph = agreeing(b, b.quant(x), least=0.5)
    np.testing.assert_array_equal(graph.nodes[0].weight[:, :, 0, 0], codes.T)


def test_unsigned_weights_around_128_are_symmetric():
    b = Builder()
    codes = np.random.default_rng(3).integers(1, 256, (4, 3, 1, 1)).astype(np.uint8)
    weight = b.op("DequantizeLinear", [codes, np.float32(0.0123), np.uint8(128)])
    graph = agreeing(b, b.quant(b.op("Conv", [b.quant("image"), weight])))
    np.testing.assert_array_equal(graph.nodes[0].weight, (codes.astype(int) - 128).astype(np.int8))


def test_a_free_batch_counts_as_one():
    b = Builder(shape=("batch", 3, 8, 8))
    assert import_proto(b.model(b.quant(b.conv(b.quant("image"), 3, 4)))).input.shape == (3, 8, 8)


def test_accumulator_is_proven():
    b = Builder(64, 4)
    weight = b.quant(np.full((2, 64, 7, 7), 1, np.float32), 1 / 127)
    x = b.op("Conv", [b.quant("image"), weight], "heavy", pads=[3] * 4)
    proto = b.model(b.quant(x, 100.0))
    with pytest.raises(Exception, match="'heavy'.*accumulator of 27 bits would do"):
        import_proto(proto, ACC_BITS)
    import_proto(proto, 27)
