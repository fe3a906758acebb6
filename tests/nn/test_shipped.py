# SPDX-License-Identifier: Apache-2.0
"""The models in the package: small, loadable, what their cards say, and as good as their cards say (slow)."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from codesign.nn.model_file import load_model, read_info  # noqa: E402
from codesign.train.recipe import Recipe  # noqa: E402

MODELS = Path(__file__).parents[2] / "codesign/models"
DIGITS, BCCD = MODELS / "digits-b-w4a8.safetensors", MODELS / "bccd-b-w4a8.safetensors"
LABELS = {DIGITS: tuple("0123456789"), BCCD: ("Platelets", "RBC", "WBC")}
both = pytest.mark.parametrize("model", [DIGITS, BCCD], ids=lambda path: path.stem)


@both
def test_size_config_and_labels(model: Path) -> None:
    assert model.stat().st_size <= 1_000_000
    info = read_info(model)
    config = info.config
    assert (config.width, config.stem, config.operator, config.bound, config.rounding) == (1.0, "s2max", "square", 7, "integer")
    assert (config.weight_bits, config.stem_bits, config.input_size) == (4, 8, (256, 256))
    assert info.labels == LABELS[model]


@both
def test_card_states_the_files_own_figures(model: Path) -> None:
    info, card = read_info(model), model.with_suffix(".md").read_text()
    for name in ("ap50_float", "ap50_post_training", "ap50_quantised"):
        assert f"{info.metrics[name]:.4f}" in card
    assert f"{model.stat().st_size:,} bytes" in card


@both
def test_recipe_is_the_shipped_one(model: Path) -> None:
    """The float stage may have been a run of its own."""
    from codesign.train.recipe_file import load_recipe

    shipped = load_recipe(model.stem.split("-")[0])
    recipe = Recipe.from_json(read_info(model).recipe)
    assert recipe in (shipped, replace(shipped, float_epochs=0))


def as_good_as_recorded(model: Path, folder: Path) -> float:
    from codesign.data.folder import read_split
    from codesign.train.batches import SceneCache
    from codesign.train.evaluation import evaluate

    net, info = load_model(model)
    scenes = SceneCache(read_split(folder, "test", list(info.labels)), len(info.labels), info.config.input_size)
    mean = evaluate(net, scenes).mean
    assert mean == pytest.approx(info.metrics["ap50_quantised"], abs=2e-3)
    return mean


@pytest.mark.slow
def test_ap50_on_held_out_scenes(tmp_path: Path) -> None:
    from codesign.data.digits import write_scenes

    write_scenes(tmp_path, train=1, test=200)
    assert as_good_as_recorded(DIGITS, tmp_path) >= 0.92


@pytest.mark.slow
@pytest.mark.skipif("CODESIGN_DATA" not in os.environ, reason="CODESIGN_DATA not set")
def test_ap50_on_blood_cells() -> None:
    assert as_good_as_recorded(BCCD, Path(os.environ["CODESIGN_DATA"]) / "bccd") >= 0.84
