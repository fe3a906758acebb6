# SPDX-License-Identifier: Apache-2.0
"""`codesign train` on a folder of one's own."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from codesign.cli import main
from codesign.data.digits import write_scenes
from codesign.nn.model_file import read_info


def test_a_folder_of_ones_own_needs_nothing_but_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(tmp_path / "mine", train=4, test=1, size=64)
    short = ["--recipe", "auto:pretrain_epochs=0", "--float-epochs", "1", "--qat-epochs", "1", "--height", "64", "--width", "64"]
    command = ["train", "--data", str(tmp_path / "mine"), "--out", str(tmp_path / "run"), *short]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "recipe auto: 4 pictures, 1 float and 1 quantised epochs, mirrored" in said and "budget: 4 images" in said
    info = read_info(tmp_path / "run/model.safetensors")
    assert info.recipe["iou_weight"] == 1.0 and info.recipe["augment"]["hflip"] and info.recipe["augment"]["paste"] == 3
    assert main(command) == 0 and "resuming after epoch 2" in capsys.readouterr().out
    assert main([*command, "--seed", "2"]) == 2 and "another network, recipe or data (seed was 1, now 2)" in capsys.readouterr().err


def test_an_unknown_recipe_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(tmp_path / "mine", train=1, test=1, size=64)
    assert main(["train", "--data", str(tmp_path / "mine"), "--recipe", "fast"]) == 2
    error = capsys.readouterr().err
    assert "unknown recipe 'fast'" in error and error.count("\n") == 1


def test_a_start_that_is_no_weights_file_is_refused_before_the_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(tmp_path / "mine", train=1, test=1, size=64)
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    command = ["train", "--data", str(tmp_path / "mine"), "--out", str(tmp_path / "run"), "--height", "64", "--width", "64"]
    assert main([*command, "--start", str(tmp_path / "junk.safetensors")]) == 2
    shown = capsys.readouterr()
    assert "junk.safetensors: not a readable weights file" in shown.err and "budget" not in shown.out


@pytest.mark.parametrize(("out", "says"), [("", "is a folder"), ("file/model.safetensors", "cannot be written")])
def test_ptq_refuses_an_output_it_cannot_write_before_it_reads_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str, says: str
) -> None:
    (tmp_path / "file").write_text("")
    command = ["ptq", "--model", "none.safetensors", "--data", "none", "--out", str(tmp_path / out)]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "--out" in error and says in error and error.count("\n") == 1
