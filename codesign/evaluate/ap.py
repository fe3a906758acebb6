# SPDX-License-Identifier: Apache-2.0
"""Pascal VOC average precision at IoU 0.5: area under the interpolated curve, and the 11-point form of VOC07.

Matching follows the VOC development kit: detections of a class over all images, best score first; each takes the
ground-truth box of highest IoU in its image; a second detection of the same box is false; `difficult` boxes count
neither as found nor as missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.decode import Detections


@dataclass(frozen=True)
class Truth:
    """Ground truth of one image: boxes [n, 4], labels int [n], difficult bool [n]."""

    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


@dataclass(frozen=True)
class ApResult:
    """mean over classes that occur; per_class is NaN for classes without any (non-difficult) box."""

    mean: float
    per_class: tuple[float, ...]


def iou(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """IoU [n] of boxes [n, 4] with one box [4], continuous pixel edges."""
    side = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    inter = np.prod(np.maximum(side, 0), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - inter
    return inter / np.maximum(area, 1e-12)


def average_precision(hits: np.ndarray, positives: int, eleven_point: bool = False) -> float:
    """AP from hit (True) or miss per detection, best score first, and the number of boxes to find."""
    if positives == 0:
        return float("nan")
    true = np.cumsum(hits)
    recall = true / positives
    precision = true / np.maximum(np.arange(1, len(hits) + 1), 1)
    if eleven_point:
        return float(np.mean([precision[recall >= t].max(initial=0) for t in np.arange(11) / 10]))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * envelope))


def ap50(
    detections: list[Detections], truths: list[Truth], classes: int, *, threshold: float = 0.5,
    eleven_point: bool = False,
) -> ApResult:  # fmt: skip
    """AP at IoU `threshold` per class and mean, over images in the same order in both lists."""
    if len(detections) != len(truths):
        raise ValueError(f"{len(detections)} detection lists for {len(truths)} images")
    per_class = tuple(_class_ap(detections, truths, c, threshold, eleven_point) for c in range(classes))
    known = [ap for ap in per_class if not np.isnan(ap)]
    return ApResult(float(np.mean(known)) if known else float("nan"), per_class)


def _class_ap(
    detections: list[Detections], truths: list[Truth], label: int, threshold: float, eleven: bool
) -> float:
    positives, scores, outcome = 0, [], []
    for found, truth in zip(detections, truths, strict=True):
        mine = truth.labels == label
        boxes, difficult = truth.boxes[mine], truth.difficult[mine].astype(bool)
        positives += int((~difficult).sum())
        taken = np.zeros(len(boxes), bool)
        for k in np.flatnonzero(found.labels == label):
            scores.append(float(found.scores[k]))
            outcome.append(_match(found.boxes[k], boxes, difficult, taken, threshold))
    order = np.argsort(-np.array(scores), kind="stable")
    ranked = np.array(outcome, dtype=np.int64)[order] if outcome else np.zeros(0, np.int64)
    return average_precision(ranked[ranked >= 0] == 1, positives, eleven)


def _match(
    box: np.ndarray, boxes: np.ndarray, difficult: np.ndarray, taken: np.ndarray, threshold: float
) -> int:
    """1 hit, 0 miss, -1 ignored; marks the ground-truth box as taken."""
    if len(boxes) == 0:
        return 0
    overlap = iou(boxes, box)
    best = int(np.argmax(overlap))
    if overlap[best] < threshold:
        return 0
    if difficult[best]:
        return -1
    hit = not taken[best]
    taken[best] = True
    return int(hit)
