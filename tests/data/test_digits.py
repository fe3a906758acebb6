# SPDX-License-Identifier: Apache-2.0
"""Digit scenes: deterministic, split by handwriting, boxes around ink, in VOC layout."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from codesign.data.digits import LARGEST, handwriting, render_scene, write_scenes
from codesign.data.voc import load_image, read_classes, read_split
from codesign.errors import UserError


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def test_no_handwriting_is_in_both_splits() -> None:
    train, test = handwriting("train")[0], handwriting("test")[0]
    assert len(train) + len(test) == 1797 and len(test) == 359
    seen = {a.tobytes() for a in train}
    assert sum(a.tobytes() in seen for a in test) <= 1  # two writers may make the same 8x8


def test_same_arguments_same_scenes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_scenes(tmp_path / name, train=2, test=1, size=96, seed=seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_layout_and_boxes(tmp_path: Path) -> None:
    write_scenes(tmp_path, train=3, test=2, size=128)
    classes = read_classes(tmp_path)
    assert classes == [str(d) for d in range(10)]
    samples = read_split(tmp_path, "train", classes) + read_split(tmp_path, "test", classes)
    assert len(samples) == 5
    for sample in samples:
        assert load_image(sample.image).shape == (128, 128, 3)
        assert len(sample.labels) >= 1
        assert (sample.boxes >= 0).all() and (sample.boxes <= 128).all()
        assert ((sample.boxes[:, 2:] - sample.boxes[:, :2]) >= 3).all()


def test_scenes_vary_in_scale_and_polarity() -> None:
    ink, labels = handwriting("train")
    heights, brighter = [], []
    for n in range(20):
        image, boxes, _ = render_scene(np.random.default_rng(n), ink, labels, 256)
        heights += (boxes[:, 3] - boxes[:, 1]).tolist()
        brighter.append(image.mean() > 128)
    assert min(heights) < 32 and 80 < max(heights) <= LARGEST * 1.05
    assert 3 < sum(brighter) < 17


@pytest.mark.parametrize("wrong", [{"train": 0}, {"test": -3}, {"size": 63}, {"seed": -1}, {"seed": 2**31}])
def test_wrong_counts_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(wrong))} is"):
        write_scenes(tmp_path / "scenes", **wrong)
    assert not (tmp_path / "scenes").exists()


def test_small_scenes_have_few_digits_large_enough_to_read() -> None:
    ink, labels = handwriting("train")
    for n in range(20):
        image, boxes, _ = render_scene(np.random.default_rng(n), ink, labels, 64)
        assert image.shape[:2] == (64, 64) and 1 <= len(boxes) <= 3
        assert (boxes[:, 3] - boxes[:, 1] >= 14).all() and (boxes >= 0).all() and (boxes <= 64).all()


def test_heights_widen_or_narrow_the_scale() -> None:
    ink, labels = handwriting("train")
    spread = {}
    for heights in ((24, 224), (52, 60)):
        found = [render_scene(np.random.default_rng(n), ink, labels, 128, heights)[1] for n in range(20)]
        boxes = np.concatenate(found)
        spread[heights] = (boxes[:, 3] - boxes[:, 1]).min(), (boxes[:, 3] - boxes[:, 1]).max()
    assert spread[24, 224][0] <= 14 and spread[24, 224][1] >= 90
    assert spread[52, 60][0] >= 22 and spread[52, 60][1] <= 31


@pytest.mark.parametrize("heights", [(60, 52), (4, 60), (24, 300)])
def test_heights_out_of_order_or_range_are_refused(tmp_path: Path, heights: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="heights are"):
        write_scenes(tmp_path / "scenes", 1, 1, heights=heights)
    assert not (tmp_path / "scenes").exists()
