# SPDX-License-Identifier: Apache-2.0
"""`codesign eval` on golden: either layout, every metric, plots, and pictures fitted as the model says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codesign.build.detector import Detector
from codesign.cli import main
from codesign.data.fit import fit_picture
from codesign.data.sample import load_image
from codesign.decode import Detections
from codesign.graph.files import save_graph
from codesign.lower.random_net import random_graph
from tests.data.coco_folder import write_folder

BOX = np.array([[2.5, 3, 22.5, 33.0]])


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> Path:
    """stretch.safetensors and letterbox.safetensors, the same small network of the classes dog and cat."""
    folder = tmp_path_factory.mktemp("graphs")
    graph = random_graph("b", height=64, width=96, classes=2)
    graph.meta["labels"] = ["dog", "cat"]
    for fit in ("stretch", "letterbox"):
        graph.meta["fit"] = fit
        save_graph(graph, folder / f"{fit}.safetensors")
    return folder


def run(graphs: Path, tmp_path: Path, *more: str, model: str = "stretch") -> dict:
    data = tmp_path / "coco"
    if not data.exists():
        write_folder(data)
    found = tmp_path / "result.json"
    command = ["eval", "--data", str(data), "--model", str(graphs / f"{model}.safetensors"), "--json", str(found), *more]
    assert main(command) == 0
    return json.loads(found.read_text())["results"][0]


def test_coco_folder_every_metric_and_plots(graphs, tmp_path, capsys):
    result = run(graphs, tmp_path, "--plots", str(tmp_path / "plots"))
    out = capsys.readouterr().out
    assert "COCO AP by size" in out and "VOC07" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("  ")][1:4] == [["dog", "0"], ["cat", "1"], ["mean", "1"]]
    assert result["metrics"]["voc"]["per_class"]["dog"] is None, "its only box is a crowd"
    assert result["images"] == 2 and len(result["pictures"]) == 2
    for file in result["plots"]:
        assert load_image(Path(file)).shape[1] > 100
    assert {Path(file).name for file in result["plots"]} == {"precision-recall.png", "best-1.png", "worst-1.png"}


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_pictures_are_fitted_as_the_model_was_trained(graphs, tmp_path, monkeypatch, fit):
    """A detector that sees exactly what training showed it, and whose boxes come back to the picture's pixels."""
    seen = []

    def detect(pixels):
        seen.append(pixels)
        fitted = fit_picture(np.zeros((40, 60, 3), np.uint8), 64, 96, fit)
        return Detections(fitted.place(BOX), np.array([0.9]), np.array([1]))

    monkeypatch.setattr(Detector, "detect", property(lambda self: detect))
    result = run(graphs, tmp_path, "--metric", "voc", model=fit)
    expected = fit_picture(load_image(tmp_path / "coco" / "val2017" / "a.jpg"), 64, 96, fit).pixels
    assert (seen[0] == expected).all() and seen[0].shape == (64, 96, 3)
    assert result["ap50"] == 1.0 and "coco" not in result["metrics"]


def test_a_float_model_file_is_run_itself(tmp_path):
    pytest.importorskip("brevitas")
    from codesign.nn.codenet import CoDeNet
    from codesign.nn.float_file import save_float
    from tests.nn.small import small_config

    model = CoDeNet(small_config(input_size=(64, 96), classes=2))
    save_float(tmp_path / "float.safetensors", model, labels=["dog", "cat"], recipe={"fit": "letterbox"})
    result = run(tmp_path, tmp_path, "--on", "float", model="float")
    assert result["on"] == "float" and result["images"] == 2 and set(result["metrics"]["voc"]["per_class"]) == {"dog", "cat"}


def test_shipped_models_have_names(capsys):
    assert main(["eval", "--data", "missing", "--model", "digits-b-w4a8"]) == 2
    assert "missing: no such data folder" in capsys.readouterr().err
    assert main(["eval", "--data", "missing", "--model", "digits-z"]) == 2
    assert "digits-z: no such file" in capsys.readouterr().err


def test_wrong_options_and_folders_are_one_line(graphs, tmp_path, capsys):
    model = ["--model", str(graphs / "stretch.safetensors")]
    assert main(["eval", "--data", str(write_folder(tmp_path / "coco")), *model, "--metric", "map"]) == 2
    assert "--metric 'map': must be voc, voc07, coco or all" in capsys.readouterr().err
    assert main(["eval", "--data", str(tmp_path), *model]) == 2
    assert "no data folder; expected Pascal VOC" in capsys.readouterr().err
