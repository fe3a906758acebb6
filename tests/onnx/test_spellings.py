# SPDX-License-Identifier: Apache-2.0
"""The same network in other legal spellings imports to the very same integers; what is refused is one line; memory is bounded."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from codesign.errors import UserError
from codesign.golden import run
from codesign.graph.ir import Graph
from codesign.onnx import import_proto, normalise
from codesign.onnx.importer import examine_proto
from codesign.onnx.reader import checked
from tests.onnx.builder import Builder

INT4, UINT4 = np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4)


def qdq(b: Builder, x: str, scale: float, zero: np.ndarray, name: str = "") -> str:
    """QuantizeLinear and back."""
    where = [np.float32(scale), zero]
    return b.op("DequantizeLinear", [b.op("QuantizeLinear", [x, *where], f"{name}/to" if name else ""), *where], name)


def weight(b: Builder, codes: np.ndarray, zero: np.ndarray | None = None, axis: int | None = 0) -> str:
    """A dequantised constant; ``axis`` None: one scale."""
    scale = np.float32(0.02) if axis is None else np.linspace(0.01, 0.03, codes.shape[0]).astype(np.float32)
    given = [codes, scale] if zero is None else [codes, scale, zero]
    return b.op("DequantizeLinear", given, **({} if axis is None else {"axis": axis}))


def network(codes: Callable[[np.ndarray], np.ndarray] = lambda c: c.astype(np.int8), zero: np.ndarray | None = None, opset: int = 21) -> onnx.ModelProto:
    """Convolution, depthwise convolution, a sum, a mean, a fully connected layer, as QDQ."""
    rng, b = np.random.default_rng(3), Builder(3, 8, opset)
    draw = lambda *shape: codes(rng.integers(-8, 8, shape))  # noqa: E731
    x = qdq(b, "image", 1 / 64, np.int8(3), "input")
    x = b.op("Conv", [x, weight(b, draw(8, 3, 3, 3), zero), np.linspace(-1, 1, 8, dtype=np.float32)], pads=[1] * 4)
    x = qdq(b, b.op("Relu", [x]), 1 / 32, np.int8(-128))
    y = b.op("Conv", [x, weight(b, draw(8, 1, 3, 3), zero)], pads=[1] * 4, group=8)
    y = qdq(b, y, 1 / 16, np.int8(5))
    z = qdq(b, b.op("Add", [x, y]), 1 / 8, np.int8(0))
    z = qdq(b, b.op("GlobalAveragePool", [z]), 1 / 64, np.int8(-1))
    z = b.op("Gemm", [b.op("Flatten", [z]), weight(b, draw(5, 8), zero)], transB=1)
    return b.model(qdq(b, z, 1 / 32, np.int8(0), "logits"))


def integers(graph: Graph) -> list[np.ndarray]:
    """All tensors' codes, in order, of one input."""
    codes = np.random.default_rng(0).integers(-128, 128, graph.input.shape).astype(np.int8)
    values = run(graph, codes)
    return [values[node.output] for node in graph.nodes]


def same(model: onnx.ModelProto, wanted: onnx.ModelProto | None = None) -> Graph:
    """``model`` computes what `network` does."""
    graph = import_proto(model)
    found, want = integers(graph), integers(import_proto(wanted or network()))
    assert len(found) == len(want) and all(np.array_equal(a, b) for a, b in zip(found, want))
    return graph


def test_constants_by_nodes():
    model = network()
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in model.graph.initializer]
    del model.graph.initializer[:]
    whole = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(whole)
    same(model)


def test_identities_everywhere_and_no_names():
    model, nodes = network(), []
    for node in model.graph.node:
        node.name = ""
        for index, name in enumerate(node.input):
            nodes.append(helper.make_node("Identity", [name], [f"{name}/{len(nodes)}"]))
            node.input[index] = nodes[-1].output[0]
        nodes.append(node)
    for value in model.graph.output:
        nodes.append(helper.make_node("Identity", [value.name], ["end"]))
        value.name = "end"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    same(model)


def test_initializers_are_inputs_too():
    model = network()
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    same(model)


def test_a_weight_and_a_scale_shared_by_two_layers():
    def two(shared: bool) -> onnx.ModelProto:
        b, rng = Builder(4, 8), np.random.default_rng(1)
        codes = rng.integers(-8, 8, (4, 4, 1, 1)).astype(np.int8)
        x, first = qdq(b, "image", 1 / 32, np.int8(0)), weight(b, codes)
        for _ in range(2):
            x = b.op("Conv", [x, first if shared else weight(b, codes)])
            x = qdq(b, x, 1 / 16, np.int8(0))
        return b.model(x)

    same(two(True), two(False))


@pytest.mark.parametrize("kind", ["int4", "uint4", "uint8", "int4 without zero point", "int8 zero point given"])
def test_types_of_weights(kind):
    """The same weights as int4, uint4 around 8, uint8 around 128, and with zero points spelled out."""
    match kind:
        case "int4":
            model = network(lambda c: c.astype(INT4), np.zeros((), INT4))
        case "int4 without zero point":
            model = network(lambda c: c.astype(INT4))
        case "uint4":
            model = _per_channel(lambda c: (c + 8).astype(UINT4), 8, UINT4)
        case "uint8":
            model = _per_channel(lambda c: (c + 128).astype(np.uint8), 128, np.dtype(np.uint8))
        case _:
            model = _per_channel(lambda c: c.astype(np.int8), 0, np.dtype(np.int8))
    same(model)


def _per_channel(codes: Callable[[np.ndarray], np.ndarray], zero: int, kind: np.dtype) -> onnx.ModelProto:
    """`network`, its weights with a zero point for each channel."""
    model = network(codes)
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and len(node.input) == 2:
            (scale,) = [tensor for tensor in model.graph.initializer if tensor.name == node.input[1]]
            name = f"{scale.name}/zero"
            model.graph.initializer.append(numpy_helper.from_array(np.full(tuple(scale.dims), zero).astype(kind), name))
            node.input.append(name)
    return model


def test_zero_points_left_out():
    """Dequantising without a zero point means 0 in the integers' own type; output_dtype names it where quantising."""
    model = network()
    for node in model.graph.node:
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        if node.op_type == "DequantizeLinear" and len(node.input) == 3 and tensors[node.input[2]] == 0:
            del node.input[2]
        if node.op_type == "QuantizeLinear" and tensors[node.input[2]] == 0:
            del node.input[2]
            node.attribute.append(helper.make_attribute("output_dtype", TensorProto.INT8))
    assert sum(len(node.input) == 2 for node in model.graph.node if node.op_type == "QuantizeLinear") == 2
    same(model)


def test_padding_spelled_by_auto_pad():
    def padded(**how: object) -> onnx.ModelProto:
        b = Builder(4, 8)
        x = b.op("Conv", [qdq(b, "image", 1 / 32, np.int8(0)), b.weights(4, 4, 3, 3)], **how)
        return b.model(qdq(b, x, 1 / 16, np.int8(0)))

    for how in ("SAME_LOWER", "SAME_UPPER"):
        same(padded(auto_pad=how), padded(pads=[1] * 4))
    same(padded(auto_pad="VALID"), padded(pads=[0] * 4))
    same(padded(auto_pad="NOTSET", pads=[1] * 4), padded(pads=[1] * 4))
    for how in ({"auto_pad": "SAME_LOWER"}, {"auto_pad": "SAME_UPPER"}, {"pads": [0, 0, 1, 1]}):
        with pytest.raises(UserError, match="use the same pad on all four sides"):
            import_proto(padded(strides=[2, 2], **how))


def test_integers_stored_field_by_field_and_axes_from_behind():
    model = network()
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        tensor.ClearField("raw_data")
        (tensor.float_data if values.dtype == np.float32 else tensor.int32_data).extend(values.reshape(-1).tolist())
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "axis" and node.op_type == "DequantizeLinear":
                (shape,) = [tensor.dims for tensor in model.graph.initializer if tensor.name == node.input[0]]
                attribute.i -= len(shape)
    same(model)


def test_a_mean_by_axes_and_a_reshape_that_infers_a_side():
    model = network()
    for node in model.graph.node:
        if node.op_type == "GlobalAveragePool":
            node.op_type = "ReduceMean"
            node.input.append("axes")
        if node.op_type == "Flatten":
            node.op_type = "Reshape"
            node.input.append("shape")
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, -2]), "axes"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, -1]), "shape"))
    same(model)


REFUSED = {
    "another kernel": r"kernel_shape \[5, 5\] with weights of 3×3; export", "unknown padding": "auto_pad 'NEITHER'; use one of",
    "complex input": "input of type complex64; use one of float32",
    "groups": "use groups = 1, or depthwise", "a multiplier of channels": "use groups = 1, or depthwise", "sparse": "is sparse; export it dense",
    "blocks": "one scale per tensor or per output channel", "asymmetric weights": "use symmetric weights",
    "pad operator": "Pad .*not supported", "16-bit float": "Cast .*not supported; replace it", "no output": "computes nothing",
    "input as output": "not computed", "text constant": "Constant .*not supported; replace it",
    "a slice to nowhere": "slice channels", "axis out of range": "axis must be in", "a constant that is no array": "Constant.*export the model again",
}  # fmt: skip


def _refused(kind: str) -> onnx.ModelProto:
    b = Builder(8, 8, 21)
    x = qdq(b, "image", 1 / 32, np.int8(0))
    rng = np.random.default_rng(0)
    codes = lambda *shape: rng.integers(-8, 8, shape).astype(np.int8)  # noqa: E731
    match kind:
        case "groups":
            x = b.op("Conv", [x, weight(b, codes(8, 2, 1, 1))], group=4)
        case "a multiplier of channels":
            x = b.op("Conv", [x, weight(b, codes(16, 1, 3, 3))], group=8, pads=[1] * 4)
        case "blocks":
            scale = np.linspace(0.1, 0.2, 8 * 4, dtype=np.float32).reshape(8, 4, 1, 1)
            x = b.op("Conv", [x, b.op("DequantizeLinear", [codes(8, 8, 1, 1), scale], axis=1, block_size=2)])
        case "asymmetric weights":
            x = b.op("Conv", [x, weight(b, (codes(8, 8, 1, 1) + 20).astype(np.uint8), np.uint8(250))])
        case "another kernel":
            x = b.op("Conv", [x, weight(b, codes(8, 8, 3, 3))], kernel_shape=[5, 5], pads=[2] * 4)
        case "unknown padding":
            x = b.op("Conv", [x, weight(b, codes(8, 8, 3, 3))], auto_pad="NEITHER")
        case "pad operator":
            x = b.op("Conv", [b.op("Pad", [x, np.array([0, 0, 0, 0, 0, 0, 1, 1])]), weight(b, codes(8, 8, 1, 1))])
        case "16-bit float":
            x = b.op("Cast", [b.op("Cast", [x], to=TensorProto.FLOAT16)], to=TensorProto.FLOAT)
        case "text constant":
            b.nodes.append(helper.make_node("Constant", [], ["text"], value_string="abc"))
            b.nodes.append(helper.make_node("Cast", ["text"], ["number"], to=TensorProto.FLOAT))
            x = b.op("Mul", [x, "number"])
        case "a slice to nowhere":
            x = b.op("Slice", [x, *(np.array([v], np.int64) for v in (-(2**63), 2**63 - 1, 1, -(2**63)))])
        case "axis out of range":
            x = b.op("Concat", [x, x], axis=9)
        case "a constant that is no array":
            b.nodes.append(helper.make_node("Constant", [], ["nothing"]))
            x = b.op("Mul", [x, "nothing"])
        case _:
            x = b.op("Conv", [x, weight(b, codes(8, 8, 1, 1))])
    model = b.model(qdq(b, x, 1 / 16, np.int8(0)))
    if kind == "no output":
        del model.graph.output[:]
    if kind == "complex input":
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.COMPLEX64
    if kind == "input as output":
        model.graph.output[0].name = "image"
    if kind == "sparse":
        tensor = model.graph.initializer[-1]
        values = numpy_helper.from_array(numpy_helper.to_array(tensor).reshape(-1)[:1], tensor.name)
        sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([0])), [1])
        model.graph.initializer.remove(tensor)
        model.graph.sparse_initializer.append(sparse)
    return model


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_legal_but_not_supported_is_one_line(kind):
    with pytest.raises(UserError, match=REFUSED[kind]) as caught:
        import_proto(_refused(kind))
    assert "\n" not in str(caught.value) and ";" in str(caught.value)


def test_constants_that_double_do_not_fill_the_memory(monkeypatch):
    """Refused before the first operator beyond the limit is computed."""
    b, made = Builder(), []
    monkeypatch.setattr(normalise, "MAX_FOLDED", 1 << 12)
    evaluate = normalise.evaluate
    monkeypatch.setattr(normalise, "evaluate", lambda *given: made.extend(evaluate(*given)) or made[-1:])
    grown = b.constant(np.ones((1, 1), np.float32))
    for _ in range(27):
        grown = b.op("Concat", [grown, grown], axis=0)
    out = b.quant(b.conv(b.quant("image"), 3, 4))
    with pytest.raises(UserError, match="'concat11'.* elements; export the model with constants folded") as caught:
        examine_proto(checked(b.model(out)))
    assert "\n" not in str(caught.value) and sum(array.size for array in made) <= 1 << 12
