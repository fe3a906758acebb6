# SPDX-License-Identifier: Apache-2.0
"""`codesign build --model x.onnx`: imported graphs through every step, with an instruction-set model in place of the RTL; and,
slow, through RTL."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from codesign.build import BuildOptions, build
from codesign.build.steps import all_steps
from codesign.cli import main
from codesign.errors import UserError
from codesign.golden import run
from codesign.graph.files import load_graph
from codesign.lower.random_net import random_graph
from codesign.onnx.export import export_model
from tests.build.fakes import fast  # noqa: F401 - a fixture
from tests.onnx.builder import Builder

SMALL_BOARD = "ulx3s-85f"  # 16 x 4 array, one depthwise unit


def classifier(path: Path, channels: int = 3, classes: int = 7, size: int = 16) -> Path:
    """A convolution down to one pixel, then a fully connected layer."""
    b = Builder(channels, size)
    x = b.relu_quant(b.conv(b.quant("image", name="input"), channels, 16, 3, strides=[2, 2], name="first"))
    x = b.relu_quant(b.conv(x, 16, 32, 3, strides=[4, 4], name="second"))
    x = b.relu_quant(b.conv(x, 32, 24, 2, pads=[0] * 4, name="third"), 1 / 8)
    x = b.op("Gemm", [b.op("Flatten", [x]), b.weights(classes, 24), np.linspace(-1, 1, classes, dtype=np.float32)], "dense", transB=1)
    b.quant(x, 1 / 16, name="logits")
    return b.save(path, "logits.out")


def built(model: Path, folder: Path, **more):
    result = build(BuildOptions("pynq-z2", model=model, out=folder, **more))
    assert {s.name: s.status for s in result.steps}["simulate"] == "verified", result.steps
    return result, json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_classifier_builds_and_its_best_codes_are_printed(fast, channels, capsys, tmp_path):  # noqa: F811
    path, folder = classifier(tmp_path / "my model.onnx", channels), tmp_path / "out"
    assert main(["build", "--model", str(path), "--board", "pynq-z2", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "ONNX model my model.onnx" in said and "verified" in said
    assert ("seed 0" in said) == (channels != 3)
    graph = load_graph(folder / "graph.safetensors")
    report = json.loads((folder / "report.json").read_text())
    assert report["config"] == "onnx" and report["bit_exact"]["mismatches"] == 0
    source = report["model"]["source"]
    assert source["file"] == "my model.onnx" and source["opset"] == 20 and len(source["sha256"]) == 64
    with np.load(folder / "golden.npz") as values:
        logits = values[graph.outputs["logits.out"]].reshape(-1)
    best = report["bit_exact"]["top_codes"]["logits.out"]
    assert [code for _, code, _ in best] == sorted(logits.tolist(), reverse=True)[:5]
    (line,) = [line for line in said.splitlines() if line.lstrip().startswith("output logits.out: class")]
    assert line.count("class ") == 5 and f"class {best[0][0]} code {best[0][1]} " in line


def test_its_folder_has_its_name(tmp_path):
    options = BuildOptions("pynq-z2", model=classifier(tmp_path / "my model.onnx"))
    assert str(options.folder("pynq-z2")) == "build/pynq-z2-my_model"


@pytest.mark.parametrize("kind", ["int8", "uint8", "float32"])
def test_an_input_of_ones_own(fast, kind, tmp_path):  # noqa: F811
    """Codes, unsigned codes and reals of the same input are the same frame."""
    path = classifier(tmp_path / "model.onnx", 2)
    codes = np.random.default_rng(4).integers(-128, 128, (2, 16, 16)).astype(np.int8)
    reals = (codes / 32).astype(np.float32)[None]
    np.save(tmp_path / "input.npy", {"int8": codes, "uint8": codes.view(np.uint8) ^ 0x80, "float32": reals}[kind])
    result, _ = built(path, tmp_path / "out", input=tmp_path / "input.npy")
    graph = load_graph(result.folder / "graph.safetensors")
    with np.load(result.folder / "golden.npz") as values:
        for name, want in run(graph, codes).items():
            np.testing.assert_array_equal(values[name], want)


def test_a_picture_covers_the_inputs_range(fast, tmp_path):  # noqa: F811
    """Black is the least code and white the greatest, whatever the zero point; 4-bit codes too."""
    from PIL import Image

    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 16, axis=0).repeat(3, axis=2)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    for bits, zero, ends in ((8, -20, (-128, 127)), (4, 1, (-8, 7))):
        b = Builder(shape=(1, 3, 16, 256))
        b.conv(b.quant("image", zero=zero, bits=bits, name="input"), 3, 8, name="first")
        path = b.save(tmp_path / "model.onnx", b.quant("first.out", name="out"))
        result, _ = built(path, tmp_path / f"out{bits}", image=tmp_path / "ramp.png")
        with np.load(result.folder / "golden.npz") as values:
            codes = values["input.out"]
        assert (codes.min(), codes.max()) == ends and (np.diff(codes.astype(int), axis=2) >= 0).all()
        assert load_graph(result.folder / "graph.safetensors").input.zero_point == zero


WRONG = {
    "object array": "not a NumPy array", "text": "not a NumPy array", "another shape": "the network takes", "integers": "int8 or uint8 codes",
    "not finite": "not finite", "a header that lies": "not a NumPy array",
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_inputs_are_one_line(kind, capsys, tmp_path):
    path, file = classifier(tmp_path / "model.onnx"), tmp_path / "input.npy"
    good = np.zeros((3, 16, 16), np.float32)
    match kind:
        case "object array":
            np.save(file, np.array([{}]), allow_pickle=True)
        case "text":
            file.write_text("0 1 2")
        case "another shape":
            np.save(file, good[:, :8])
        case "integers":
            np.save(file, good.astype(np.int64))
        case "not finite":
            np.save(file, good * np.nan)
        case "a header that lies":
            np.save(file, good)
            file.write_bytes(file.read_bytes().replace(b"(3, 16, 16)", b"(1<<60,)   ").replace(b"(1<<60,)   ", b"(9999999,) "))
    assert main(["build", "--model", str(path), "--board", "pynq-z2", "--input", str(file), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and WRONG[kind] in err


def test_models_that_cannot_be_built_are_one_line(capsys, tmp_path):
    b = Builder()
    bad = b.save(tmp_path / "bad.onnx", b.op("Sigmoid", [b.quant(b.conv(b.quant("image"), 3, 4))], "bad"))
    (tmp_path / "cut.onnx").write_bytes(classifier(tmp_path / "model.onnx").read_bytes()[:-90])
    for path, said in ((bad, "Sigmoid 'bad': the operator is not supported; end the model before it"), (tmp_path / "cut.onnx", "again")):
        capsys.readouterr()
        assert main(["build", "--model", str(path), "--board", "pynq-z2", "--out", str(tmp_path / "out")]) == 2
        out, err = capsys.readouterr()
        assert err.count("\n") == 1 and said in err and "Traceback" not in out + err
    good = tmp_path / "model.onnx"
    for more in ({"height": 64}, {"image": good, "input": good}):
        with pytest.raises(UserError):
            BuildOptions("pynq-z2", model=good, **more)


def test_an_exported_detector_finds_the_same_boxes(capsys, tmp_path):
    from PIL import Image

    from codesign.api import Detector

    graph = random_graph("b", height=64, width=64, classes=3)
    graph.meta["fit"] = "letterbox"
    path = tmp_path / "detector.onnx"
    export_model(graph, path, "onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    detector = Detector(BuildOptions("pynq-z2", model=path))
    assert (detector.labels, detector.fit, detector.size) == (graph.meta["labels"], "letterbox", (64, 64))
    from codesign.build.detector import decode_heads
    from codesign.golden import image_codes

    values = run(graph, image_codes(pixels))
    want = decode_heads(graph, {role: values[name] for role, name in graph.outputs.items()})
    found = detector.detect(pixels)
    np.testing.assert_allclose(found.boxes, want.boxes, rtol=1e-5)
    np.testing.assert_array_equal(found.labels, want.labels)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    assert main(["detect", str(tmp_path / "picture.png"), "--model", str(path), "--out", str(tmp_path / "found")]) == 0
    capsys.readouterr()
    model = classifier(tmp_path / "model.onnx")
    assert main(["detect", str(tmp_path / "picture.png"), "--model", str(model), "--out", str(tmp_path / "found")]) == 2
    assert "not a detector: its outputs are logits.out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_brevitas_network_is_bit_exact_in_rtl(tmp_path):
    """Plain brevitas.nn layers through Brevitas' own export_qonnx, then every step of the build on a small board."""
    from tests.onnx.brevitas_net import Trunk, export

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        path = export(Trunk, tmp_path / "trunk.onnx")
    steps = [step for step in all_steps() if step.name not in ("synthesise", "bitstream")]
    result = build(BuildOptions(SMALL_BOARD, model=path, out=tmp_path / "out"), steps=steps)
    facts = {step.name: step for step in result.steps}
    assert facts["simulate"].status == "verified", facts["simulate"].reason
    assert facts["simulate"].facts["mismatches"] == 0 and facts["simulate"].facts["values"] > 30_000
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["model"]["source"]["file"] == "trunk.onnx" and "pytorch" in report["model"]["source"]["producer"]
