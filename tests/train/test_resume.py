# SPDX-License-Identifier: Apache-2.0
"""A run killed at any step ends with the weights of one that was not; Ctrl-C keeps the step under way."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("sklearn")

from safetensors.torch import load_file  # noqa: E402

from codesign.data.augment import Augment  # noqa: E402
from codesign.data.digits import write_scenes  # noqa: E402
from codesign.train import epochs, loop  # noqa: E402
from codesign.train.checkpoint import read_progress  # noqa: E402
from codesign.train.loop import train  # noqa: E402
from codesign.train.recipe import Recipe  # noqa: E402
from tests.nn.small import small_config  # noqa: E402

# every step is saved; everything that draws random numbers is on
RECIPE = Recipe(pretrain_epochs=1, float_epochs=2, qat_epochs=2, batch=2, qat_batch=2, pretrain_batch=8, warmup_steps=2,
                calibration_batches=1, freeze_bn=0.5, save_seconds=0.0, distil=1.0, iou_weight=1.0, equalise=True,
                augment=Augment(hflip=True, vflip=True, transpose=True, paste=3))  # fmt: skip
CONFIG = small_config(input_size=(64, 64))
CHILD = """
import sys
from pathlib import Path
from codesign.train.loop import train
from tests.train.test_resume import CONFIG, RECIPE
train(Path(sys.argv[1]), RECIPE, Path(sys.argv[2]), config=CONFIG)
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, train=6, test=1, size=64)
    return folder


@pytest.fixture(scope="module")
def whole(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    said: list[str] = []
    train(scenes, RECIPE, out, config=CONFIG, report=said.append)
    assert any(line.startswith("channels equalised: ") for line in said)
    return out


def same(one: Path, other: Path) -> bool:
    """Checkpoint and model, tensor for tensor."""
    pairs = [[load_file(folder / name) for folder in (one, other)] for name in ("checkpoint.safetensors", "model.safetensors")]
    return all(a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in pairs)


class _Stop(Exception):
    pass


@pytest.mark.parametrize("at", [5, *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 7, 10))])
def test_a_run_stopped_before_any_step_resumes_exactly(
    scenes: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    step, calls = epochs.train_step, iter(range(100))

    def fail(*args: object) -> float:
        if next(calls) == at:
            raise _Stop
        return step(*args)

    monkeypatch.setattr(epochs, "train_step", fail)
    with pytest.raises(_Stop):
        train(scenes, RECIPE, tmp_path, config=CONFIG, report=lambda _: None)
    monkeypatch.setattr(epochs, "train_step", step)
    said: list[str] = []
    train(scenes, RECIPE, tmp_path, config=CONFIG, report=said.append)
    assert said[0].startswith("resuming after epoch") and same(whole, tmp_path)


@pytest.mark.slow
def test_a_run_killed_at_random_moments_resumes_exactly(scenes: Path, whole: Path, tmp_path: Path) -> None:
    rng, kills = random.Random(4), 0
    while True:
        child = subprocess.Popen([sys.executable, "-c", CHILD, scenes, tmp_path], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + (600 if kills == 4 else rng.uniform(6, 14))
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if child.poll() is not None:
            assert child.returncode == 0
            break
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        kills += 1
    assert same(whole, tmp_path)


def test_ctrl_c_keeps_the_step_under_way(
    scenes: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = epochs.train_step, iter(range(100))

    def interrupted(*args: object) -> float:
        if next(calls) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*args)

    monkeypatch.setattr(epochs, "train_step", interrupted)
    rare = replace(RECIPE, save_seconds=1e9)  # only Ctrl-C itself saves inside an epoch
    with pytest.raises(KeyboardInterrupt):
        train(scenes, rare, tmp_path, config=CONFIG, report=lambda _: None)
    progress = read_progress(tmp_path / "checkpoint.safetensors")
    assert (progress.epoch, progress.step) == (1, 2)
    monkeypatch.setattr(epochs, "train_step", step)
    train(scenes, rare, tmp_path, config=CONFIG, report=lambda _: None)
    assert same(whole, tmp_path)


def test_ctrl_c_in_the_warm_up_says_that_it_starts_over(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "pretrain", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(scenes, RECIPE, tmp_path, config=CONFIG, report=said.append)
    assert "it starts over" in said[-1] and not (tmp_path / "checkpoint.safetensors").exists()
