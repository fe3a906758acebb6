# SPDX-License-Identifier: Apache-2.0
"""COCO's average precision against pycocotools, on random detections."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from codesign.decode import Detections
from codesign.evaluate.coco import MOST, coco_ap
from codesign.evaluate.truth import Truth
from tests.evaluate.scenes import CLASSES, random_scene

pytest.importorskip("pycocotools", reason="skipped: pycocotools is not installed (pip install 'codesign[test]')")
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def edges_to_sides(box: np.ndarray) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


def official(found: list[Detections], truths: list[Truth]) -> tuple[np.ndarray, np.ndarray]:
    """The first six of its twelve figures, and AP per class (-1: nothing to find). Every difficult box is a crowd there."""
    annotations, listed = [], []
    for image, (detections, truth) in enumerate(zip(found, truths), start=1):
        areas = np.prod(truth.boxes[:, 2:] - truth.boxes[:, :2], axis=1) if truth.areas is None else truth.areas
        for box, label, ignored, area in zip(truth.boxes, truth.labels, truth.difficult, areas):
            annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": int(label) + 1,
                                "bbox": edges_to_sides(box), "area": float(area), "iscrowd": int(ignored)})  # fmt: skip
        for box, label, score in zip(detections.boxes, detections.labels, detections.scores):
            listed.append({"image_id": image, "category_id": int(label) + 1, "bbox": edges_to_sides(box), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = COCO()
        truth_set.dataset = {"info": {}, "images": [{"id": k + 1} for k in range(len(truths))], "annotations": annotations,
                             "categories": [{"id": k + 1, "name": str(k)} for k in range(CLASSES)]}  # fmt: skip
        truth_set.createIndex()
        judge = COCOeval(truth_set, truth_set.loadRes(listed), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    per_class = judge.eval["precision"][:, :, :, 0, 2].transpose(2, 0, 1).reshape(CLASSES, -1).mean(1)
    return np.array(judge.stats[:6]), per_class


def compare(found: list[Detections], truths: list[Truth]) -> None:
    mine = coco_ap(found, truths, CLASSES)
    stats, per_class = official(found, truths)
    figures = np.array([mine.ap, mine.ap50, mine.ap75, mine.small, mine.medium, mine.large])
    np.testing.assert_allclose(np.nan_to_num(figures, nan=-1), stats, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.nan_to_num(mine.per_class, nan=-1), per_class, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_all_six_figures_and_every_class(seed):
    found, truths = random_scene(seed, crowds=True)
    compare(found, [Truth(t.boxes, t.labels, t.difficult, t.difficult, t.areas) for t in truths])


def test_box_areas_where_outlines_are_unknown():
    found, truths = random_scene(99)
    compare(found, [Truth(t.boxes, t.labels, t.difficult, t.difficult) for t in truths])


def test_more_detections_than_count_in_an_image():
    rng = np.random.default_rng(5)
    corner = rng.integers(0, 100, (3 * MOST, 2))
    boxes = np.concatenate([corner, corner + rng.integers(5, 60, (3 * MOST, 2))], 1).astype(float)
    found = Detections(boxes, rng.integers(1, 9, 3 * MOST) / 9, np.zeros(3 * MOST, np.int64))
    truth = Truth(boxes[::7], np.zeros(len(boxes[::7]), np.int64), np.zeros(len(boxes[::7]), bool))
    compare([found], [truth])


def test_difficult_boxes_that_are_no_crowds_are_ignored_once():
    """Overlap is plain IoU then, and a second detection of an ignored box is wrong."""
    box, none = np.array([[0, 0, 40, 40.0]]), np.zeros(1, bool)
    truths = [Truth(box, np.zeros(1, int), np.ones(1, bool), none), Truth(box, np.zeros(1, int), none)]
    twice = Detections(np.repeat(box, 2, 0), np.array([0.9, 0.8]), np.zeros(2, int))
    hit = Detections(box, np.array([0.5]), np.zeros(1, int))
    assert coco_ap([twice, hit], truths, 1).ap == pytest.approx(0.5)  # the wrong one comes before the hit
    crowds = [Truth(box, np.zeros(1, int), np.ones(1, bool), np.ones(1, bool)), truths[1]]
    assert coco_ap([twice, hit], crowds, 1).ap == pytest.approx(1)


def test_nothing_to_find_is_nan():
    empty = Truth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    assert np.isnan(coco_ap([Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))], [empty], 2).ap)
