# SPDX-License-Identifier: Apache-2.0
"""The model in the package: small, loadable, what its card says, and as good as its card says (slow)."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from codesign.nn.model_file import load_model, read_info  # noqa: E402
from codesign.train.recipe import Recipe  # noqa: E402

MODEL = Path(__file__).parents[2] / "codesign/models/digits-b-w4a8.safetensors"


def test_size_config_and_labels() -> None:
    assert MODEL.stat().st_size <= 1_000_000
    info = read_info(MODEL)
    config = info.config
    assert (config.width, config.stem, config.operator, config.bound, config.rounding) == (1.0, "s2max", "square", 7, "integer")
    assert (config.weight_bits, config.stem_bits, config.input_size) == (4, 8, (256, 256))
    assert info.labels == tuple("0123456789")


def test_card_states_the_files_own_figures() -> None:
    info, card = read_info(MODEL), MODEL.with_suffix(".md").read_text()
    for name in ("ap50_float", "ap50_post_training", "ap50_quantised"):
        assert f"{info.metrics[name]:.4f}" in card
    assert f"{MODEL.stat().st_size:,} bytes" in card


def test_recipe_is_readable() -> None:
    assert Recipe.from_json(read_info(MODEL).recipe).seed == 1


@pytest.mark.slow
def test_ap50_on_held_out_scenes(tmp_path: Path) -> None:
    from codesign.data.digits import write_scenes
    from codesign.data.voc import read_split
    from codesign.train.batches import SceneCache
    from codesign.train.evaluation import evaluate

    write_scenes(tmp_path, train=1, test=200)
    net, info = load_model(MODEL)
    scenes = SceneCache(read_split(tmp_path, "test", list(info.labels)), 10, info.config.input_size)
    result = evaluate(net, scenes)
    assert result.mean >= 0.87
    assert result.mean == pytest.approx(info.metrics["ap50_quantised"], abs=2e-3)
