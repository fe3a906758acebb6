# SPDX-License-Identifier: Apache-2.0
"""COCO average precision: the mean over IoU 0.5 to 0.95, at 101 points of recall, and by the objects' size.

Matching is COCO's, which is not VOC's: a detection takes the best box that is still free, ignored boxes (crowds,
difficult ones, those of another size) only where no other fits, at most 100 detections of a class in an image count,
and a crowd is overlapped by the share of the detection that lies in it and may be taken by many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.decode import Detections
from codesign.evaluate.truth import Truth, intersection, iou

THRESHOLDS = np.linspace(0.5, 0.95, 10)  #: of IoU
RECALLS = np.linspace(0, 1, 101)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
MOST = 100  #: detections of a class in an image


@dataclass(frozen=True)
class CocoResult:
    """Means over the classes that occur, NaN where none does; small, medium, large by the truth's area in pixels.

    ``per_class`` is AP over all thresholds, ``per_class_50`` and ``per_class_75`` at one.
    """

    ap: float
    ap50: float
    ap75: float
    small: float
    medium: float
    large: float
    per_class: tuple[float, ...]
    per_class_50: tuple[float, ...]
    per_class_75: tuple[float, ...]


@dataclass(frozen=True)
class _Image:
    """One class in one image, best detection first: overlap [detections, boxes], and what is ignored from the start."""

    overlap: np.ndarray
    scores: np.ndarray
    found_areas: np.ndarray
    areas: np.ndarray
    ignored: np.ndarray
    crowd: np.ndarray


def coco_ap(detections: Sequence[Detections], truths: Sequence[Truth], classes: int) -> CocoResult:
    """AP of images in the same order in both; boxes in the images' own pixels, because sizes count."""
    if len(detections) != len(truths):
        raise ValueError(f"{len(detections)} detection lists for {len(truths)} images")
    table = {area: np.full((classes, len(THRESHOLDS)), np.nan) for area in AREAS}
    for label in range(classes):
        images = [_image(found, truth, label) for found, truth in zip(detections, truths)]
        images = [image for image in images if image.overlap.shape != (0, 0)]
        for area, span in AREAS.items():
            table[area][label] = _class_ap(images, span)
    whole = table["all"]
    return CocoResult(
        _mean(whole), _mean(whole[:, 0]), _mean(whole[:, 5]), _mean(table["small"]), _mean(table["medium"]), _mean(table["large"]),
        tuple(_mean(row) for row in whole), tuple(whole[:, 0].tolist()), tuple(whole[:, 5].tolist()),
    )  # fmt: skip


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _image(found: Detections, truth: Truth, label: int) -> _Image:
    mine = np.flatnonzero(found.labels == label)
    scores = np.asarray(found.scores, np.float64)[mine]
    order = np.argsort(-scores, kind="stable")[:MOST]
    boxes, scores = np.asarray(found.boxes, np.float64)[mine][order], scores[order]
    wanted = truth.labels == label
    truths = np.asarray(truth.boxes, np.float64)[wanted]
    crowd = np.zeros(len(truths), bool) if truth.crowd is None else truth.crowd[wanted].astype(bool)
    areas = _area(truths) if truth.areas is None else np.asarray(truth.areas, np.float64)[wanted]
    return _Image(_overlap(boxes, truths, crowd), scores, _area(boxes), areas, crowd | truth.difficult[wanted].astype(bool), crowd)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _overlap(found: np.ndarray, truths: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU [detections, boxes]; with a crowd the share of the detection inside it."""
    table = np.zeros((len(found), len(truths)))
    for k, box in enumerate(found):
        inside = intersection(truths, box) / max(float(np.prod(box[2:] - box[:2])), 1e-12)
        table[k] = np.where(crowd, inside, iou(truths, box))
    return table


def _class_ap(images: Sequence[_Image], span: tuple[float, float]) -> np.ndarray:
    """AP [thresholds] of one class and size; NaN where no box is to be found."""
    outcomes, scores, positives = [], [], 0
    for image in images:
        ignored = image.ignored | (image.areas < span[0]) | (image.areas > span[1])
        positives += int((~ignored).sum())
        foreign = (image.found_areas < span[0]) | (image.found_areas > span[1])
        outcomes.append(np.stack([_match(image, ignored, foreign, float(t)) for t in THRESHOLDS]))
        scores.append(image.scores)
    if positives == 0:
        return np.full(len(THRESHOLDS), np.nan)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    table = np.concatenate(outcomes, axis=1)[:, order]
    return np.array([_interpolated(row[row >= 0] == 1, positives) for row in table])


def _match(image: _Image, ignored: np.ndarray, foreign: np.ndarray, threshold: float) -> np.ndarray:
    """Outcome int [detections]: 1 hit, 0 miss, -1 ignored."""
    outcome = np.where(foreign, -1, 0)
    if not len(ignored):
        return outcome
    free = np.ones(len(ignored), bool)
    for k, overlap in enumerate(image.overlap):
        fits = (overlap >= min(threshold, 1 - 1e-10)) & (free | image.crowd)
        for candidates in (fits & ~ignored, fits & ignored):
            if candidates.any():
                best = len(overlap) - 1 - int(np.argmax(np.where(candidates, overlap, -1)[::-1]))  # of equals the last
                free[best] = False
                outcome[k] = -1 if ignored[best] else 1
                break
    return outcome


def _interpolated(hits: np.ndarray, positives: int) -> float:
    """Mean of the best precision at each of `RECALLS` or a higher recall."""
    true = np.cumsum(hits)
    precision = true / (np.arange(1, len(hits) + 1) + np.spacing(1))
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    at = np.searchsorted(true / positives, RECALLS, side="left")
    return float(envelope[at].mean())
