# SPDX-License-Identifier: Apache-2.0
"""Pictures judged, drawn and put in order; tables, JSON and curves of an evaluation."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from codesign.data.sample import load_image
from codesign.decode import Detections
from codesign.evaluate.ap import ap50
from codesign.evaluate.coco import coco_ap
from codesign.evaluate.curves import draw_curves
from codesign.evaluate.drawing import FALSE, HIT, MISS, TRUTH, draw_verdict
from codesign.evaluate.scores import score
from codesign.evaluate.truth import Truth
from codesign.evaluate.verdict import judge, ordered
from tests.evaluate.scenes import CLASSES, random_scene

BOXES = np.array([[10, 10, 50, 50], [100, 10, 140, 50], [10, 100, 50, 140], [100, 100, 140, 140]], float)
SCENE = Truth(BOXES, np.array([0, 0, 1, 1]), np.array([False, False, False, True]))
FOUND = Detections(
    np.concatenate([BOXES[[0, 0, 1, 3]], [[60, 60, 90, 90]], BOXES[[2]]]),
    np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.1]), np.array([0, 0, 1, 1, 0, 1]),
)  # fmt: skip


def test_hits_misses_and_false_detections():
    verdict = judge(FOUND, SCENE, 0.3)
    assert verdict.outcome.tolist() == [1, 0, 0, -1, 0], "hit, duplicate, wrong class, difficult, nothing there"
    assert verdict.seen.tolist() == [True, False, False, True]
    assert verdict.missed.tolist() == [False, True, True, False], "a difficult box is never missed"
    assert (verdict.hits, verdict.misses, verdict.false) == (1, 2, 3) and verdict.f1 == 2 / 7
    assert judge(FOUND, SCENE, 0.05).misses == 1


def test_best_pictures_first():
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    empty = Truth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    whole = Detections(BOXES, np.full(4, 0.9), SCENE.labels)
    verdicts = [judge(nothing, SCENE, 0.3), judge(FOUND, SCENE, 0.3), judge(nothing, empty, 0.3), judge(whole, SCENE, 0.3)]
    assert ordered(verdicts) == [3, 2, 1, 0]


def test_every_kind_of_box_is_drawn_in_its_colour():
    picture = draw_verdict(np.zeros((150, 150, 3), np.uint8), SCENE, judge(FOUND, SCENE, 0.3), ["a", "b"], "scene")
    zoom = 6
    assert picture.size == (150 * zoom, 150 * zoom + 46), "small pictures are enlarged"
    seen = {picture.getpixel((x * zoom + 1, y * zoom)) for x, y in ((10, 30), (60, 75), (10, 120), (100, 120))}
    assert {Image.new("RGB", (1, 1), c).getpixel((0, 0)) for c in (HIT, FALSE, MISS)} <= seen
    assert Image.new("RGB", (1, 1), TRUTH).getpixel((0, 0)) not in seen, "a hit lies on its truth"


def test_table_and_json_hold_every_metric():
    found, truths = random_scene(3)
    labels = [f"class {k}" for k in range(CLASSES)]
    scores = score(found, truths, labels)
    area, eleven = ap50(found, truths, CLASSES), ap50(found, truths, CLASSES, eleven_point=True)
    coco = coco_ap(found, truths, CLASSES)
    lines = scores.table()
    assert len(lines) == CLASSES + 3 and lines[CLASSES].split()[-5:] == ["-"] * 5, "nothing to find in the last class"
    assert lines[-2].split()[2:] == [f"{v:.4f}" for v in (area.mean, eleven.mean, coco.ap, coco.ap50, coco.ap75)]
    document = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert document["voc"] == {"ap50": area.mean, "per_class": {**dict(zip(labels, area.per_class)), labels[-1]: None}}
    assert document["voc07"]["ap50"] == eleven.mean
    assert document["coco"]["small"] == coco.small and document["coco"]["per_class"]["class 0"] == coco.per_class[0]
    curve = document["precision_at_recall"]["class 0"]
    assert len(curve) == 101 and curve == sorted(curve, reverse=True)
    np.testing.assert_allclose(np.mean(curve), coco.per_class_50[0], atol=0.1)
    only = score(found, truths, labels, ["voc07"])
    assert only.coco is None and set(only.to_json()) == {"boxes", "voc", "voc07", "precision_at_recall"}


def test_curves_are_drawn_for_classes_with_boxes(tmp_path):
    found, truths = random_scene(3)
    (page,) = draw_curves(score(found, truths, list("abcde")), tmp_path, "scenes")
    assert page.name == "precision-recall.png" and load_image(page).shape[1] > 900
    many = [Truth(np.tile(BOXES[:1], (30, 1)), np.arange(30), np.zeros(30, bool))]
    none = [Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))]
    pages = draw_curves(score(none, many, [str(k) for k in range(30)]), tmp_path, "classes")
    assert [page.name for page in pages] == ["precision-recall.png", "precision-recall-2.png"]
