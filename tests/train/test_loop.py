# SPDX-License-Identifier: Apache-2.0
"""The training loop on a handful of small scenes: resume exactly, atomic checkpoints, a usable model file."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from safetensors.torch import load_file  # noqa: E402

from codesign.data.digits import write_scenes  # noqa: E402
from codesign.errors import UserError  # noqa: E402
from codesign.nn.model_file import load_model, read_info  # noqa: E402
from codesign.train.checkpoint import SCHEMA, atomic_save, read_progress  # noqa: E402
from codesign.train.loop import train  # noqa: E402
from codesign.train.recipe import Recipe  # noqa: E402
from codesign.train.step import cosine, drops  # noqa: E402
from tests.nn.small import small_config  # noqa: E402

RECIPE = Recipe(pretrain_epochs=1, float_epochs=2, qat_epochs=2, batch=2, qat_batch=2, pretrain_batch=8,
                warmup_steps=2, bf16=False, calibration_batches=1, freeze_bn=0.5)  # fmt: skip
CONFIG = small_config(input_size=(64, 64))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, train=4, test=2, size=64)
    return folder


@pytest.fixture(scope="module")
def whole(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out, said = tmp_path_factory.mktemp("whole"), []
    result = train(scenes, RECIPE, out, config=CONFIG, report=said.append)
    assert result is not None and result.model == out / "model.safetensors"
    return out, said


def tensors(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "checkpoint.safetensors")


@pytest.mark.parametrize("stops", [(1, 3), pytest.param((2,), marks=pytest.mark.slow), pytest.param((3,), marks=pytest.mark.slow)])
def test_a_stopped_run_resumes_exactly(
    scenes: Path, whole: tuple[Path, list[str]], tmp_path: Path, stops: tuple[int, ...]
) -> None:
    for stop in stops:
        assert train(scenes, RECIPE, tmp_path, config=CONFIG, report=lambda _: None, stop_after=stop) is None
        assert read_progress(tmp_path / "checkpoint.safetensors").epoch == stop
    train(scenes, RECIPE, tmp_path, config=CONFIG, report=lambda _: None)
    want, got = tensors(whole[0]), tensors(tmp_path)
    assert want.keys() == got.keys()
    assert all(torch.equal(want[k], got[k]) for k in want)
    assert (tmp_path / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()


def test_budget_comes_first_and_the_log_has_every_epoch(whole: tuple[Path, list[str]]) -> None:
    out, said = whole
    assert said[0].startswith("budget: 4 images") and "images/s" in said[0] and "minutes" in said[0]
    rows = (out / "log.csv").read_text().splitlines()
    assert rows[0] == "epoch,stage,loss,rate,seconds,ap50" and (out / "log.png").stat().st_size > 1000
    assert [r.split(",")[1] for r in rows[1:]] == ["float"] * 2 + ["quantised"] * 2


def test_the_model_file_holds_labels_metrics_and_recipe(whole: tuple[Path, list[str]]) -> None:
    _, info = load_model(whole[0] / "model.safetensors")
    assert info.labels == tuple(str(d) for d in range(10)) and info.config == replace(CONFIG, classes=10)
    assert {"ap50_float", "ap50_quantised"} <= set(info.metrics)
    assert Recipe.from_json(info.recipe) == RECIPE


def test_every_weight_moved(whole: tuple[Path, list[str]], scenes: Path, tmp_path: Path) -> None:
    """From the first epoch to the last, quantised stage included: offset convolutions and deformable kernels too."""
    train(scenes, RECIPE, tmp_path, config=CONFIG, report=lambda _: None, stop_after=2)
    before, after = tensors(tmp_path), tensors(whole[0])
    for name in before:
        if name.startswith("model/") and ("conv.weight" in name or "bn.weight" in name or name.endswith("value")):
            assert not torch.equal(before[name], after[name]), name


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(
    scenes: Path, whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes((whole[0] / "checkpoint.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"another network, recipe or data \(lr was 0.002, now 0.001\); "):
        train(scenes, replace(RECIPE, lr=1e-3), tmp_path, config=CONFIG, report=lambda _: None)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a checkpoint"):
        train(scenes, RECIPE, tmp_path, config=CONFIG, report=lambda _: None)
    assert not list(tmp_path.glob(".*tmp"))


def _without_test(folder: Path) -> None:
    (folder / "ImageSets/Main/test.txt").unlink()


def _broken_test(folder: Path) -> None:
    (folder / "Annotations/test00000.xml").write_text("<annotation>")


def test_only_a_missing_test_list_means_no_held_out_split(scenes: Path, tmp_path: Path) -> None:
    shutil.copytree(scenes, tmp_path / "data")
    said: list[str] = []
    _broken_test(tmp_path / "data")
    with pytest.raises(UserError, match="test00000.xml"):
        train(tmp_path / "data", RECIPE, tmp_path / "out", config=CONFIG, report=said.append)
    _without_test(tmp_path / "data")
    short = replace(RECIPE, pretrain_epochs=0, float_epochs=1, qat_epochs=1)
    result = train(tmp_path / "data", short, tmp_path / "out", config=CONFIG, report=said.append)
    assert result is not None and result.ap50_float is None and result.ap50_quantised is None
    assert "no held-out split" in said[0] and "ap50_quantised = not measured" in said
    assert read_info(result.model).metrics["ap50_quantised"] is None
    mode = 0o666 & ~_umask()
    assert all((tmp_path / "out" / f"{name}.safetensors").stat().st_mode & 0o777 == mode for name in ("model", "checkpoint"))


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("change", [{"epoch": None}, {"epoch": "x"}, {"epoch": "-1"}, {"metrics": None}, {"metrics": 5}])
def test_incomplete_checkpoint_metadata_is_refused_with_the_remedy(tmp_path: Path, change: dict) -> None:
    meta = {"schema": SCHEMA, "epoch": "1", "fingerprint": "f", "metrics": {}, "ema_steps": "1", "stage": "float",
            "step": 0, "loss": 0.0} | change  # fmt: skip
    path = tmp_path / "checkpoint.safetensors"
    atomic_save({}, path, {"codesign": json.dumps({k: v for k, v in meta.items() if v is not None})})
    with pytest.raises(UserError, match="checkpoint.safetensors.*--fresh") as caught:
        read_progress(path)
    assert "\n" not in str(caught.value)


def test_schedule_warms_up_and_ends_at_zero() -> None:
    rates = [cosine(s, 1000, 100) for s in range(1001)]
    assert rates[0] == pytest.approx(0.01) and max(rates) < 1 and rates[1000] == pytest.approx(0, abs=1e-9)
    assert all(a >= b for a, b in zip(rates[110:], rates[111:], strict=False))


def test_the_step_schedule_drops_twice() -> None:
    rates = [drops(s, 900, 10) for s in (0, 9, 499, 500, 699, 700, 899)]
    assert rates == pytest.approx([0.1, 1, 1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"qat_epochs": -1}, {"schedule": "steep"},
                                   {"float_epochs": 0, "qat_epochs": 0}, {"float_epochs": -1}, {"lr": 0}, {"ema": 1.0},
                                   {"seed": -1}, {"seed": 2**31}, {"threads": 0}, {"threads": 100_000_000}])  # fmt: skip
def test_wrong_recipes_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        Recipe(**wrong)


@pytest.mark.parametrize(("wrong", "says"), [
    ({"float_epochs": -1}, "float_epochs is -1"), ({"batch": 0}, "batch is 0"), ({"batch": 10**9}, "batch is 1000000000.* 4,096"),
    ({"float_epochs": 99999999999999999999}, "float_epochs is 9999.* 100,000"), ({"pretrain_epochs": 100_001}, "100001"),
    ({"lr": float("nan")}, "lr is nan"), ({"ema": 1.0}, "ema is 1.0"), ({"iou_weight": -1.0}, "iou_weight is -1.0"),
    ({"annotations": 0.0}, "annotations and distil are both 0"),
])  # fmt: skip
def test_a_refused_recipe_names_key_and_value(wrong: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Recipe(**wrong)
