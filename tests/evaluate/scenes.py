# SPDX-License-Identifier: Apache-2.0
"""Random detections and truths with what metrics trip over: ties, duplicates, difficult boxes, crowds, empty classes."""

from __future__ import annotations

import numpy as np

from codesign.decode import Detections
from codesign.evaluate.truth import Truth

CLASSES = 5  # the last never has a box to find; detections of it occur


def random_scene(seed: int, images: int = 12, side: int = 160, crowds: bool = False) -> tuple[list[Detections], list[Truth]]:
    """Integer boxes (so that no sum is rounded) and scores of few values (so that many are equal)."""
    rng = np.random.default_rng(seed)
    truths = [_truth(rng, side, crowds) for _ in range(images)]
    return [_found(rng, truth, side) for truth in truths], truths


def _boxes(rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    corner = rng.integers(0, side // 2, (count, 2))
    longest = np.where(rng.random(count) < 0.4, 20, side // 2)[:, None]
    return np.concatenate([corner, corner + rng.integers(4, longest + 1, (count, 2))], 1).astype(np.float64)


def _truth(rng: np.random.Generator, side: int, crowds: bool) -> Truth:
    count = int(rng.integers(0, 9))
    boxes, labels = _boxes(rng, count, side), rng.integers(0, CLASSES, count)
    crowd = (rng.random(count) < 0.2) & crowds
    difficult = (rng.random(count) < 0.25) | (labels == CLASSES - 1) | crowd
    share = rng.integers(3, 9, count) / 8  # of the box that the object's outline covers
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * share
    return Truth(boxes, labels, difficult, crowd, areas)


def _found(rng: np.random.Generator, truth: Truth, side: int) -> Detections:
    near = np.repeat(truth.boxes, rng.integers(0, 4, len(truth.boxes)), axis=0)  # none, one, or duplicates
    labels = np.repeat(truth.labels, 1)
    labels = truth.labels[[int(np.argmax((truth.boxes == b).all(1))) for b in near]] if len(near) else labels[:0]
    near = near + rng.integers(-4, 5, near.shape)
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    stray = _boxes(rng, int(rng.integers(0, 6)), side)
    boxes = np.concatenate([near, stray])
    labels = np.concatenate([labels, rng.integers(0, CLASSES, len(stray))]).astype(np.int64)
    order = rng.permutation(len(boxes))
    return Detections(boxes[order], rng.integers(1, 12, len(boxes)) / 12, labels[order])
