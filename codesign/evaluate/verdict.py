# SPDX-License-Identifier: Apache-2.0
"""One picture judged at one score: which boxes were found, which were missed, which detections are false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.decode import Detections
from codesign.evaluate.ranking import match
from codesign.evaluate.truth import Truth, iou


@dataclass(frozen=True)
class Verdict:
    """``outcome`` int [detections]: 1 hit, 0 false, -1 ignored; ``seen`` bool [boxes]: found.

    ``shown`` are the detections judged, those of at least the score. Difficult boxes are never missed.
    """

    shown: Detections
    outcome: np.ndarray
    seen: np.ndarray
    missed: np.ndarray

    @property
    def hits(self) -> int:
        """Detections that found a box."""
        return int((self.outcome == 1).sum())

    @property
    def false(self) -> int:
        """Detections of nothing, of the wrong class, or of a box found before."""
        return int((self.outcome == 0).sum())

    @property
    def misses(self) -> int:
        """Boxes not found."""
        return int(self.missed.sum())

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing and nothing was found."""
        wrong = self.misses + self.false
        return 2 * self.hits / (2 * self.hits + wrong) if self.hits + wrong else 1.0


def judge(found: Detections, truth: Truth, score: float, threshold: float = 0.5) -> Verdict:
    """Detections of at least ``score`` against the picture's boxes, at IoU ``threshold``, class by class."""
    shown, difficult = found.above(score), truth.difficult.astype(bool)
    outcome, seen = np.zeros(len(shown.scores), np.int64), np.zeros(len(truth.labels), bool)
    for label in np.unique(shown.labels):
        mine, wanted = np.flatnonzero(shown.labels == label), np.flatnonzero(truth.labels == label)
        outcome[mine] = match(shown.boxes[mine], truth.boxes[wanted], difficult[wanted], shown.scores[mine], threshold)
        for k in mine[outcome[mine] != 0]:
            seen[wanted[int(np.argmax(iou(truth.boxes[wanted], shown.boxes[k])))]] = True
    return Verdict(shown, outcome, seen, ~seen & ~difficult)


def ordered(verdicts: Sequence[Verdict]) -> list[int]:
    """Indices of the pictures, best first: by F1, then the one with more hits, at the end with more errors."""
    return sorted(range(len(verdicts)), key=lambda k: (-verdicts[k].f1, -verdicts[k].hits, verdicts[k].misses + verdicts[k].false))
