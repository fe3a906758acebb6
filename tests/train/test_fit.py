# SPDX-License-Identifier: Apache-2.0
"""A COCO folder with letterboxing from training to evaluation: one fit everywhere, crowds left out of the targets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.build import BuildOptions
from codesign.build.detector import Detector
from codesign.cli import main
from codesign.data.augment import Augment, augment
from codesign.data.fit import GREY, fit_picture
from codesign.data.folder import read_split
from codesign.data.sample import load_image
from codesign.errors import UserError
from codesign.nn.model_file import read_info
from codesign.train.batches import SceneCache, to_input
from codesign.train.loop import train
from codesign.train.recipe import Recipe
from codesign.train.run import prepare
from tests.data.coco_folder import write_folder
from tests.train.test_loop import CONFIG

RECIPE = Recipe(pretrain_epochs=0, float_epochs=1, qat_epochs=1, batch=2, qat_batch=2, calibration_batches=1, fit="letterbox")
NETWORK = replace(CONFIG, input_size=(64, 96))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """A COCO folder of 60 x 40 pictures, and the model trained on it for an epoch each."""
    data, out = write_folder(tmp_path_factory.mktemp("coco") / "data"), tmp_path_factory.mktemp("run")
    result = train(data, RECIPE, out, config=NETWORK, report=lambda _: None)
    assert result is not None and result.model is not None
    return data, result.model


def test_model_and_graph_say_how_pictures_are_fitted(trained, tmp_path):
    data, model = trained
    info = read_info(model)
    assert info.fit == "letterbox" and info.labels == ("dog", "cat")
    detector = Detector(BuildOptions("pynq-z2", "b", model, out=tmp_path / "build"), "golden")
    assert detector.fit == "letterbox" and detector.size == (64, 96)
    report = tmp_path / "eval.json"
    assert main(["eval", "--data", str(data), "--model", str(model), "--on", "brevitas,golden", "--json", str(report)]) == 0
    brevitas, golden = json.loads(report.read_text())["results"]
    assert brevitas["images"] == golden["images"] == 2


@pytest.mark.parametrize("size", [(64, 96), (32, 32)], ids=["larger", "much smaller, so that the cache is scaled"])
def test_training_evaluates_on_the_pictures_that_the_detector_sees(trained, size):
    data, _ = trained
    samples = read_split(data, "test", ["dog", "cat"])
    cache = SceneCache(samples, 2, size, "letterbox")
    inputs, truths = next(cache.plain(2))
    fitted = fit_picture(load_image(samples[0].image), *size, "letterbox")
    assert (inputs[0] == to_input([fitted.pixels])[0]).all()
    np.testing.assert_allclose(fitted.restore(truths[0].boxes), samples[0].boxes, atol=1e-5)


def test_crowds_are_not_learnt_from(trained, tmp_path):
    run = prepare(trained[0], RECIPE, tmp_path, NETWORK, lambda _: None)
    assert [sample.labels.tolist() for sample in run.data.samples] == [[1], []]
    assert [sample.labels.tolist() for sample in run.test.samples] == [[1, 0], []]


@pytest.mark.parametrize("seed", range(8))
def test_augmented_letterboxes_keep_shapes_and_are_grey_outside(seed):
    """A square stays a square on a wide input, and what is no picture is what a letterbox has there."""
    image, box = np.full((100, 50, 3), 255, np.uint8), np.array([[10, 40, 30, 60.0]])
    how = Augment(scale=(0.9, 1.0), aspect=0.0, colour=0.0)
    view, boxes, _ = augment(image, box, np.zeros(1, int), (64, 128), np.random.default_rng(seed), how, "letterbox")
    x0, y0, x1, y1 = boxes[0]
    assert abs((x1 - x0) / (y1 - y0) - 1) < 0.02 and 0.9 * 0.64 * 20 <= x1 - x0 <= 0.64 * 20 + 1e-3
    columns = np.flatnonzero((view > 200).all(-1).any(0))
    assert 25 <= len(columns) <= 34, "the picture is a third of the input's width"
    beside = np.delete(view, np.r_[max(0, columns[0] - 2) : columns[-1] + 3], axis=1)
    assert abs(beside.astype(int) - GREY).max() <= 1


def test_wrong_fit_is_refused():
    with pytest.raises(UserError, match="recipe: fit 'crop': must be stretch or letterbox"):
        Recipe(fit="crop")
