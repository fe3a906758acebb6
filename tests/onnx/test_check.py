# SPDX-License-Identifier: Apache-2.0
"""`codesign check`: what is supported, what is not and why, and files that are broken."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from codesign.boards import load_board
from codesign.cli import main
from codesign.errors import UserError
from codesign.onnx.board import check_board
from codesign.onnx.importer import examine, import_model
from tests.onnx.builder import QONNX, Builder

UNCLEAR = "follows what is not supported"


def check(capsys, path, *more: str) -> tuple[int, str, str]:
    code = main(["check", str(path), "--board", "pynq-z2", *more])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def detector(size: int = 32) -> tuple[Builder, str]:
    """A network that is supported as a whole, and its output."""
    b = Builder(3, size)
    x = b.relu_quant(b.conv(b.quant("image"), 3, 16, 3, strides=[2, 2], name="stem"))
    x = b.relu_quant(b.conv(x, 16, 16, 3, group=16, name="depthwise"))
    return b, b.quant(b.conv(x, 16, 8, name="head"), name="out")


def test_a_supported_model_is_planned(capsys, tmp_path):
    b, out = detector()
    path, file = b.save(tmp_path / "model.onnx", out), tmp_path / "check.json"
    code, text, _ = check(capsys, path, "--json", str(file))
    assert code == 0 and text.rstrip().endswith("supported") and "frames/s at 100 MHz" in text
    answer = json.loads(file.read_text())
    assert answer["supported"] and answer["cycles"] > 1000 and answer["memory"]["dram_bytes"] > 0
    assert {row["status"] for row in answer["verdicts"]} == {"supported"}
    assert answer["fps"] == pytest.approx(100e6 / answer["cycles"])


def test_sums_and_means_are_executed(capsys, tmp_path):
    b, x = detector()
    x = b.quant(b.op("Add", [x, b.quant(b.conv(x, 8, 8))], "sum"))
    x = b.quant(b.op("GlobalAveragePool", [x], "mean"))
    code, text, _ = check(capsys, b.save(tmp_path / "model.onnx", x))
    assert code == 0 and "frames/s" in text


def test_what_only_golden_executes_is_said(capsys, tmp_path):
    b, x = detector(128)
    x = b.quant(b.op("GlobalAveragePool", [x], "mean"))
    code, text, _ = check(capsys, b.save(tmp_path / "model.onnx", x))
    assert code == 1
    (line,) = [line for line in text.splitlines() if line.startswith("mean ")]
    assert "golden only" in line and "at most 31×31" in line
    assert "not predicted" in text
    assert import_model(tmp_path / "model.onnx").nodes


def _unsupported(kind: str) -> tuple[Builder, str, str]:
    """(model, its output, words of rule and remedy). The node to be named is called bad."""
    b, x = detector()
    many = b.weights
    words = ""
    match kind:
        case "sigmoid":
            x, words = b.op("Sigmoid", [x], "bad"), "not supported; end the model before it"
        case "grouped":
            x, words = b.quant(b.op("Conv", [x, many(8, 4, 1, 1)], "bad", group=2)), "2 groups .*; use groups = 1, or depthwise"
        case "dilated":
            x, words = b.quant(b.conv(x, 8, 8, 3, name="bad", dilations=[2, 2])), r"dilations \[2, 2\]; use dilation 1"
        case "one-sided pads":
            x, words = b.quant(b.conv(x, 8, 8, 3, name="bad", pads=[0, 0, 1, 1])), "pads .*; use the same pad on all four sides"
        case "float weights":
            weight = np.ones((4, 8, 1, 1), np.float32)
            x, words = b.quant(b.op("Conv", [x, weight], "bad")), "weights are not quantised; put a Quant"
        case "no output quantiser":
            x, words = b.conv(x, 8, 8, name="bad"), "leaves the network unquantised; put a quantiser behind it"
        case "free offsets":
            offsets = b.quant(b.conv(x, 8, 18, 3), 0.25)
            x = b.quant(b.op("DeformConv", [x, many(8, 1, 3, 3), offsets], "bad", group=8, pads=[1] * 4))
            words = "taps between pixels; quantise offsets with scale 1"
        case "16-bit activations":
            x, words = b.quant(b.conv(x, 8, 8), bits=16, name="bad"), "codes of 16 bits; use 2 to 8 bits"
        case "scale at run time":
            x = b.op("Quant", [x, b.op("Relu", [x]), np.float32(0), np.float32(8)], "bad", domain=QONNX, signed=1)
            words = "scale is computed at run time; quantise statically"
        case "transpose":
            x, words = b.op("Transpose", [x], "bad", perm=[0, 2, 3, 1]), "transposes axes .*; keep the order"
        case "strided slice":
            x, words = b.op("Slice", [x, *(np.array([v]) for v in (0, 8, 1, 2))], "bad"), "in steps; slice channels"
        case "bilinear resize":
            x = b.op("Resize", [x, "", np.array([1, 1, 2, 2], np.float32)], "bad", mode="linear")
            words = "'linear' is not nearest.*; use mode nearest, factor 2"
        case "heavy weights":
            weight = b.quant(np.ones((2, 8, 7, 7), np.float32), 1 / 40000, bits=16)
            x, words = b.quant(b.op("Conv", [x, weight], "bad", pads=[3] * 4)), "weight codes .*; use symmetric weights"
        case "vanishing output scale":
            x, words = b.quant(b.conv(x, 8, 8, name="bad"), 1e-9), "needs a shift .*; enlarge the output scale"
        case "scale that is no number":
            x, words = b.quant(b.conv(x, 8, 8), np.nan, name="bad"), "scale is not a finite number; calibrate"
        case "negative scale":
            x, words = b.quant(b.conv(x, 8, 8), -0.1, name="bad"), "scale -0.1; calibrate again"
        case "weights that are no numbers":
            weight = b.quant(np.full((4, 8, 1, 1), np.nan, np.float32))
            x, words = b.quant(b.op("Conv", [x, weight], "bad")), "not finite numbers; train or export"
        case "no weights":
            x, words = b.quant(b.op("Conv", [x, b.quant(np.zeros((0, 8, 1, 1), np.float32))], "bad")), "there are none; give it"
        case "unknown domain":
            x, words = b.quant(b.op("Relu", [x], "bad", domain=QONNX)), "general.Relu.*not supported; replace it"
        case "huge strides":
            x, words = b.quant(b.conv(x, 8, 8, name="bad", strides=[1 << 40] * 2)), "strides .*; use the same stride"
        case "control flow":
            branch = onnx.helper.make_graph([onnx.helper.make_node("Identity", [x], ["y"])], "branch", [], [onnx.ValueInfoProto(name="y")])
            branch.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            x = b.op("If", [np.array(True)], "bad", then_branch=branch, else_branch=branch)
            words = "not supported; export the model traced"
        case "dense on a map":
            x = b.quant(b.op("Gemm", [b.op("Flatten", [x], "bad"), many(4, 2048)], transB=1))
            words = "reshapes .*; only channel shuffles"
    return b, x, words


KINDS = (
    "sigmoid", "grouped", "dilated", "one-sided pads", "float weights", "no output quantiser", "free offsets", "16-bit activations",
    "scale at run time", "transpose", "strided slice", "bilinear resize", "heavy weights", "vanishing output scale",
    "dense on a map", "scale that is no number", "negative scale", "weights that are no numbers", "no weights", "unknown domain",
    "huge strides", "control flow",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_unsupported_model_names_node_rule_and_remedy(kind, capsys, tmp_path):
    b, out, words = _unsupported(kind)
    path = b.save(tmp_path / "model.onnx", out)
    code, text, err = check(capsys, path)
    assert (code, err) == (1, "")
    lines = [line for line in text.splitlines() if "not supported" in line.replace(UNCLEAR, "") and not line.startswith("not supported:")]
    assert [line.split()[0] for line in lines] == ["bad"]
    with pytest.raises(UserError, match=f"(?=.*'bad').*{words}") as caught:
        import_model(path)
    assert "\n" not in str(caught.value)


def test_a_float_model_is_told_how_to_be_quantised(capsys, tmp_path):
    b = Builder()
    x = b.op("Conv", ["image", np.ones((4, 3, 1, 1), np.float32)], "first")
    code, text, _ = check(capsys, b.save(tmp_path / "model.onnx", x))
    assert code == 1 and "float model" in text and "export_qonnx" in text


def test_operators_behind_an_unsupported_one_are_still_judged(tmp_path):
    b, x = detector()
    x = b.quant(b.op("Tanh", [x], "first"))
    x = b.quant(b.conv(x, 8, 8, name="good"))
    x = b.quant(b.op("Conv", [x, b.weights(8, 4, 1, 1)], "second", group=2))
    found = examine(b.save(tmp_path / "model.onnx", x))
    assert [v.name for v in found.verdicts if v.status == "not supported"] == ["first", "second"]


def test_more_inputs_or_axes_than_an_image(tmp_path):
    b = Builder(shape=(1, 3, "height", 8))
    (found,) = [v for v in examine(b.save(tmp_path / "a.onnx", b.quant(b.conv(b.quant("image"), 3, 4)))).verdicts if v.rule]
    assert found.name == "image" and "fixed shape" in found.remedy
    b = Builder()
    model = b.model(b.quant(b.op("Add", [b.quant("image"), b.quant("other")])))
    model.graph.input.append(onnx.helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, [1, 3, 8, 8]))
    (tmp_path / "b.onnx").write_bytes(model.SerializeToString())
    assert any("2 inputs" in v.rule for v in examine(tmp_path / "b.onnx").verdicts)


def test_a_network_too_wide_for_the_scratchpad_is_named(tmp_path):
    b = Builder(shape=(1, 256, 4, 2000))
    x = b.quant(b.conv(b.quant("image"), 256, 256, name="wide"))
    answer = check_board(examine(b.save(tmp_path / "model.onnx", x)), load_board("pynq-z2"))
    assert not answer.supported
    (verdict,) = [v for v in answer.verdicts if v.rule]
    assert verdict.name == "wide" and "scratchpad" in verdict.rule and verdict.remedy


# -- broken files ---------------------------------------------------------------------------------------------------------


def _external(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=where)
    return model


def _broken(kind: str) -> bytes:
    b, out = detector()
    model = b.model(out)
    match kind:
        case "empty":
            return b""
        case "text":
            return b"this is not a network\n" * 40
        case "cut":
            return model.SerializeToString()[:-60]
        case "external":
            return _external(model, "../../../../etc/passwd").SerializeToString()
        case "old opset":
            model.opset_import[0].version = 7
        case "cycle":
            model.graph.node[0].input[0] = "nowhere"
        case "huge":
            model.graph.initializer[0].dims[:] = [1 << 40]
        case "short constant":
            model.graph.initializer[0].dims[:] = [50, 3]
        case "name":
            model.graph.node[0].name = "\x1b[31m red"
        case "shapes":
            model.graph.node.append(onnx.helper.make_node("Concat", [out, "image"], ["end"], axis=1, name="join"))
            model.graph.output[0].name = "end"
    return model.SerializeToString()


BROKEN = {
    "empty": "holds no network", "text": "not an ONNX file", "cut": "export or copy it again", "external": "save the model as one file",
    "old opset": "version_converter", "cycle": "nowhere", "huge": "elements", "short constant": "cannot be read|contradict|not a valid",
    "name": "rename it", "shapes": "contradict each other.*join",
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_line_and_exit_code_2(kind, capsys, tmp_path):
    import re

    path = tmp_path / "model.onnx"
    path.write_bytes(_broken(kind))
    code, out, err = check(capsys, path)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert re.search(BROKEN[kind], err), err


@pytest.mark.parametrize("said", ['{"labels": ["\\u001b[31m", "b"]}', '{"labels": 5}', "[" * 100_000, "[1]", '{"labels": ["a"]}'])
def test_what_a_file_says_about_itself_is_not_trusted(said, tmp_path):
    b, x = detector()
    for role, channels in (("hm", 2), ("wh", 2), ("reg", 2)):
        b.nodes.append(onnx.helper.make_node("Identity", [b.quant(b.conv(x, 8, channels))], [role], name=role))
    model = b.model("hm", "wh", "reg")
    onnx.helper.set_model_props(model, {"codesign.detector": said})
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    if said.startswith("["):
        assert "labels" not in import_model(tmp_path / "model.onnx").meta
        return
    with pytest.raises(UserError, match="meta") as caught:
        import_model(tmp_path / "model.onnx")
    assert str(caught.value).isprintable()


def test_a_missing_file(capsys, tmp_path):
    assert check(capsys, tmp_path / "none.onnx")[0] == 2


@pytest.mark.parametrize("bits", [1e30, np.inf, np.nan, -4, 33, 0])
def test_absurd_widths_cost_nothing(bits, tmp_path):
    b = Builder()
    weight = b.quant(np.ones((4, 3, 1, 1), np.float32), bits=bits, name="bad")
    found = examine(b.save(tmp_path / "model.onnx", b.quant(b.op("Conv", [b.quant("image"), weight]))))
    assert "bad" in [v.name for v in found.verdicts if v.rule]


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_never_raise_anything_else(seed, tmp_path):
    """Half of the files are damaged in their structure, half in a single field."""
    b, out = detector(16)
    content, rng = bytearray(b.model(out).SerializeToString()), np.random.default_rng(seed)
    for at in rng.integers(0, len(content), 1 + seed % 4):
        content[at] = int(rng.integers(0, 256))
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    try:
        check_board(examine(path), load_board("pynq-z2"))
    except UserError as error:
        assert "\n" not in str(error)
