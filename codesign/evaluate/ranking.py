# SPDX-License-Identifier: Apache-2.0
"""A class's detections in all pictures, best score first, each a hit or a miss: what average precision is made from.

Matching follows the VOC development kit: each detection takes the ground-truth box of highest IoU in its image; a
second detection of the same box is false; a detection of a `difficult` box is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.decode import Detections
from codesign.evaluate.truth import Truth, iou


@dataclass(frozen=True)
class Ranking:
    """``hits`` bool [n] and ``scores`` [n] best first, ignored detections left out; ``positives`` boxes to find."""

    hits: np.ndarray
    scores: np.ndarray
    positives: int

    @property
    def recall(self) -> np.ndarray:
        """Share of the boxes found [n] by the first 1, 2, .. n detections; NaN where there is nothing to find."""
        return np.cumsum(self.hits) / (self.positives or np.nan)

    @property
    def precision(self) -> np.ndarray:
        """Share of hits [n] among the first 1, 2, .. n detections."""
        return np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)

    @property
    def envelope(self) -> np.ndarray:
        """Best precision [n] at this recall or a higher one."""
        return np.maximum.accumulate(self.precision[::-1])[::-1]


def rank(detections: Sequence[Detections], truths: Sequence[Truth], label: int, threshold: float = 0.5) -> Ranking:
    """The ranking of one class at IoU ``threshold``; images in the same order in both."""
    if len(detections) != len(truths):
        raise ValueError(f"{len(detections)} detection lists for {len(truths)} images")
    positives, scores, outcome = 0, [np.zeros(0)], [np.zeros(0, np.int64)]
    for found, truth in zip(detections, truths):
        mine, wanted = found.labels == label, truth.labels == label
        positives += int((wanted & ~truth.difficult.astype(bool)).sum())
        scores.append(np.asarray(found.scores, np.float64)[mine])
        outcome.append(match(found.boxes[mine], truth.boxes[wanted], truth.difficult[wanted].astype(bool), scores[-1], threshold))
    score, result = np.concatenate(scores), np.concatenate(outcome)
    order = np.argsort(-score, kind="stable")
    order = order[result[order] >= 0]
    return Ranking(result[order] == 1, score[order], positives)


def match(
    found: np.ndarray, boxes: np.ndarray, difficult: np.ndarray, scores: np.ndarray, threshold: float
) -> np.ndarray:
    """Outcome int [n] of one image's detections of one class, in their order: 1 hit, 0 miss, -1 ignored.

    Boxes are taken best score first, equal scores in the order given.
    """
    outcome, taken = np.zeros(len(found), np.int64), np.zeros(len(boxes), bool)
    for k in np.argsort(-scores, kind="stable") if len(boxes) else ():
        overlap = iou(boxes, found[k])
        best = int(np.argmax(overlap))
        if overlap[best] < threshold:
            continue
        outcome[k] = -1 if difficult[best] else int(not taken[best])
        taken[best] = True
    return outcome
