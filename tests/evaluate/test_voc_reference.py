# SPDX-License-Identifier: Apache-2.0
"""VOC's two average precisions against the development kit's definition, written out detection by detection here.

No package on PyPI computes them with difficult boxes as the kit does, so this is the kit's text (VOCevaldet, VOCap) as
loops: inclusive pixel corners and "+ 1" where the package has edges, one global list of detections, no arrays shared.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from codesign.evaluate.ap import ap50
from tests.evaluate.scenes import CLASSES, random_scene


def overlap(a: list[float], b: list[float]) -> float:
    """Of inclusive corners."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    size = (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - width * height
    return width * height / size


def inclusive(box: np.ndarray) -> list[float]:
    return [box[0] + 1, box[1] + 1, box[2], box[3]]


def kit_curve(found, truths, label):
    """(recall, precision) after every detection, and how many boxes there were to find."""
    objects, listed, positives = {}, [], 0
    for image, (detections, truth) in enumerate(zip(found, truths)):
        objects[image] = []
        for box, named, difficult in zip(truth.boxes, truth.labels, truth.difficult):
            if named == label:
                objects[image].append({"box": inclusive(box), "difficult": bool(difficult), "detected": False})
                positives += not difficult
        for box, score, named in zip(detections.boxes, detections.scores, detections.labels):
            if named == label:
                listed.append((float(score), image, inclusive(box)))
    curve, true, false = [], 0, 0
    for _, image, box in sorted(listed, key=lambda row: -row[0]):
        highest, chosen = -math.inf, None
        for thing in objects[image]:
            value = overlap(box, thing["box"])
            if value > highest:
                highest, chosen = value, thing
        if highest >= 0.5:
            if not chosen["difficult"]:
                if chosen["detected"]:
                    false += 1
                else:
                    chosen["detected"] = True
                    true += 1
        else:
            false += 1
        if true + false:
            curve.append((true / positives if positives else 0.0, true / (true + false)))
    return curve, positives


def kit_ap(curve, positives, eleven):
    if positives == 0:
        return math.nan
    if eleven:
        return sum(max((p for r, p in curve if r >= k / 10), default=0.0) for k in range(11)) / 11
    recall = [0.0] + [r for r, _ in curve] + [1.0]
    precision = [0.0] + [p for _, p in curve] + [0.0]
    for k in range(len(precision) - 2, -1, -1):
        precision[k] = max(precision[k], precision[k + 1])
    return sum((recall[k] - recall[k - 1]) * precision[k] for k in range(1, len(recall)))


@pytest.mark.parametrize("eleven", [False, True], ids=["area", "11-point"])
def test_average_precision_is_the_development_kits(eleven):
    seen = set()
    for seed in range(60):
        found, truths = random_scene(seed, crowds=seed % 2 == 0)
        result = ap50(found, truths, CLASSES, eleven_point=eleven)
        for label in range(CLASSES):
            expected = kit_ap(*kit_curve(found, truths, label), eleven)
            assert result.per_class[label] == pytest.approx(expected, abs=1e-12, nan_ok=True), (seed, label)
            seen.add(round(expected, 6))
    assert len(seen) > 200, "the scenes are varied"


def test_scenes_hold_what_metrics_trip_over():
    found, truths = random_scene(0, images=40, crowds=True)
    scores = np.concatenate([f.scores for f in found])
    assert len(set(scores.tolist())) <= 11 and len(scores) > 200, "ties"
    assert sum(int(t.difficult.sum()) for t in truths) > 20 and sum(int(t.crowd.sum()) for t in truths) > 5
    assert math.isnan(ap50(found, truths, CLASSES).per_class[CLASSES - 1])
    assert any(len(t.boxes) == 0 for t in truths)
