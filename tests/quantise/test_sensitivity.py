# SPDX-License-Identifier: Apache-2.0
"""Sensitivity: results that resume and refuse strangers, a ranking, and advice that is measured."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from codesign.cli.app import main  # noqa: E402
from codesign.data.digits import write_scenes  # noqa: E402
from codesign.errors import UserError  # noqa: E402
from codesign.nn.codenet import set_mode  # noqa: E402
from codesign.nn.config import NetConfig  # noqa: E402
from codesign.nn.container import ModelInfo  # noqa: E402
from codesign.nn.float_file import load_float, save_float  # noqa: E402
from codesign.nn.model_file import load_model  # noqa: E402
from codesign.quantise.bn import reestimate_bn  # noqa: E402
from codesign.quantise.score import Bench  # noqa: E402
from codesign.quantise.sensitivity import (  # noqa: E402
    BASE,
    Advice,
    Results,
    Row,
    Sensitivity,
    advise,
    identity,
    kept_bits,
    model_sha,
    ranked,
)
from codesign.quantise.source import calibration_batches, pictures  # noqa: E402
from codesign.train.checkpoint import Progress, save_checkpoint  # noqa: E402
from codesign.train.ema import Ema  # noqa: E402
from tests.nn.small import quantised, small_config  # noqa: E402

CONFIG = small_config(input_size=(64, 64), classes=10)
IDENTITY = identity("model", ["a", "b"], "8", "mse", 4)
LABELS = [str(d) for d in range(10)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, train=4, test=2, size=64)
    return folder


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float") / "float.safetensors"
    save_float(path, quantised(CONFIG), LABELS, {"ap50_float": 0.25}, {"seed": 3})
    return path


def filled(path: Path, layers: tuple[str, ...], without: tuple[str, ...] = (), header: dict | None = None) -> Results:
    """Results of a made-up run: each layer loses a little less than the one before."""
    results = Results(path, header or IDENTITY)
    results.add(Row(BASE, 0.8, 0.0, 0))
    for number, name in enumerate(layers):
        if name not in without:
            results.add(Row(name, 0.8 - 0.02 * 0.5**number, 0.1 / (1 + number), 10))
    return results


def test_results_resume_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    filled(path, ("stem", "last"))
    whole = path.read_text()
    path.write_text(whole + '{"layer": "hm.la')
    again = Results(path, IDENTITY)
    assert set(again.rows) == {BASE, "stem", "last"}
    assert [(row.layer, round(lost, 2)) for row, lost in ranked(again)] == [("stem", 2.0), ("last", 1.0)]
    again.add(Row("stage1", 0.7, 0.1, 1))
    assert path.read_text().startswith(whole) and list(Results(path, IDENTITY).rows) == [BASE, "stem", "last", "stage1"]


@pytest.mark.parametrize("text", ["{}\n", "[1, 2]\n", "not json\n", "a note"])
def test_foreign_results_are_refused_and_fresh_replaces_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match="--fresh"):
        Results(path, IDENTITY)
    assert Results(path, IDENTITY, fresh=True).rows == {}
    with pytest.raises(UserError, match="another model"):
        Results(path, {**IDENTITY, "others": "float"})
    path.write_text(path.read_text() + '{"layer": "stem", "ap50": "x", "error": 0, "weights": 1}\n')
    with pytest.raises(UserError, match="damaged results"):
        Results(path, IDENTITY)


class Additive:
    """Stands for a study whose losses add up, then some."""

    layers = ("stem", "last", "hm.last", "wh.last")

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def measure(self, layers: tuple[str, ...]) -> Row:
        self.asked.append(layers)
        lost = {"stem": 0.02, "last": 0.01, "hm.last": 0.005, "wh.last": 0.0025}
        return Row(BASE, 0.8 - 1.5 * sum(lost[name] for name in layers), 0.0, 0)


def test_advice_is_measured_until_it_holds(tmp_path: Path) -> None:
    results = filled(tmp_path / "s.jsonl", Additive.layers)
    study, said = Additive(), []
    advice = advise(study, results, 0.8, said.append)  # type: ignore[arg-type]
    assert study.asked == [("hm.last", "wh.last"), ("wh.last",)]  # 0.75 points added up, 1.1 measured
    assert advice.keep == ("stem", "last", "hm.last") and advice.within and len(said) == 2
    assert advise(Additive(), results, 100.0).keep == ()  # type: ignore[arg-type]
    assert NetConfig(layer_bits=kept_bits(advice)).bits("stem") == 8
    low = NetConfig(layer_bits=kept_bits(Advice((), 0.8, True)))
    assert {low.bits(name) for name in low.layers} == {4}


@pytest.mark.parametrize("others", ["8", "float"])
def test_only_the_named_layers_go_to_four_bits(scenes: Path, others: str) -> None:
    net = quantised(small_config(input_size=(64, 64), classes=10, operator="plain"))
    set_mode(net, False)
    info = ModelInfo(net.config, tuple(LABELS))
    batches = calibration_batches(scenes, info, 4)
    reestimate_bn(net, batches)  # random statistics leave most channels at zero
    study = Sensitivity(net, batches, Bench(pictures(scenes, "train", info)), others)
    base = study.measure(())
    low = study._network(("stage1.0.left.expand",))
    assert (low.stage1[0].left.expand.bits, low.stem.bits) == (4, 8)
    assert low.stage1[0].left.expand.quantised and low.stem.quantised == low.stem.act.enabled == (others == "8")
    row = study.measure(("stage1.0.left.expand",))
    assert base.error == 0 < row.error and row.weights == net.stage1[0].left.expand.conv.weight.numel()
    assert study.measure(study.layers).weights == sum(study.sizes.values())


def test_commands_from_a_float_file(scenes: Path, float_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, answer = tmp_path / "m.safetensors", tmp_path / "a.json"
    arguments = ["--model", str(float_file), "--data", str(scenes), "--calibration", "4"]
    assert main(["ptq", *arguments, "--out", str(model), "--layer-bits", "hm=4", "--json", str(answer)]) == 0
    net, info = load_model(model)
    assert net.hm.last.bits == 4 and net.stem.bits == 8 and info.labels == tuple(LABELS)
    assert info.recipe["seed"] == 3 and info.recipe["ptq"]["weights"] == "max" and len(info.recipe["float"]) == 64
    assert json.loads(answer.read_text())["ap50_quantised"] == info.metrics["ap50_quantised"]
    assert "held-out images: float" in capsys.readouterr().out

    out, layers, missing = tmp_path / "sensitivity", CONFIG.layers, ("stem", "hm.last")
    sha = model_sha(load_float(float_file)[0])
    names = [sample.name for sample in pictures(scenes, "train", info, 2).samples]
    out.mkdir()
    filled(out / "sensitivity.jsonl", layers, missing, identity(sha, names, "8", "max", 4))
    assert main(["sensitivity", *arguments, "--images", "2", "--out", str(out), "--budget", "100"]) == 0
    document = json.loads((out / "sensitivity.json").read_text())
    assert {row["layer"] for row in document["layers"]} == set(layers)
    lost = [row["lost"] for row in document["layers"]]
    assert lost == sorted(lost, reverse=True) and document["advice"]["within"]
    assert "--layer-bits" in document["advice"]["option"]
    assert (out / "sensitivity.png").read_bytes()[:4] == b"\x89PNG"
    assert "hm.last" in capsys.readouterr().out
    assert main(["sensitivity", *arguments, "--images", "1", "--out", str(out)]) == 2
    assert "--fresh" in capsys.readouterr().err


@pytest.mark.slow
def test_a_checkpoint_needs_its_network_named(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = quantised(CONFIG)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, Progress(3, "f"), net, Ema(net, 0.9), torch.optim.AdamW(net.parameters()))
    from codesign.quantise.source import load_source

    back, info = load_source(path, scenes, CONFIG)
    assert all(torch.equal(value, back.state_dict()[name]) for name, value in net.state_dict().items())
    assert info.labels == tuple(LABELS)
    assert main(["ptq", "--model", str(path), "--data", str(scenes), "--out", str(tmp_path / "m.safetensors")]) == 2
    assert "--config" in capsys.readouterr().err
    save_checkpoint(path, Progress(3, "f", {}, "quantised"), net, Ema(net, 0.9), torch.optim.AdamW(net.parameters()))
    with pytest.raises(UserError, match="give the run's float.safetensors"):
        load_source(path, scenes, CONFIG)


@pytest.mark.parametrize("wrong", [["--others", "16"], ["--weights", "most"], ["--model", "none.safetensors"], ["--out", "/dev/null/here"]])
def test_wrong_arguments_are_one_line(scenes: Path, float_file: Path, tmp_path: Path, wrong: list[str],
                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    arguments = ["sensitivity", "--model", str(float_file), "--data", str(scenes), "--calibration", "2", "--out", str(tmp_path), *wrong]
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


