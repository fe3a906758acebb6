# SPDX-License-Identifier: Apache-2.0
"""Pascal VOC average precision at IoU 0.5: area under the interpolated curve, and the 11-point form of VOC07."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.decode import Detections
from codesign.evaluate.ranking import Ranking, rank
from codesign.evaluate.truth import Truth, iou

__all__ = ["ApResult", "Truth", "ap50", "average_precision", "iou", "mean_ap", "ranking_ap"]


@dataclass(frozen=True)
class ApResult:
    """mean over classes that occur; per_class is NaN for classes without any (non-difficult) box."""

    mean: float
    per_class: tuple[float, ...]


def average_precision(hits: np.ndarray, positives: int, eleven_point: bool = False) -> float:
    """AP from hit (True) or miss per detection, best score first, and the number of boxes to find."""
    return ranking_ap(Ranking(np.asarray(hits, bool), np.zeros(len(hits)), positives), eleven_point)


def ranking_ap(ranking: Ranking, eleven_point: bool = False) -> float:
    """AP of one class; NaN where there is nothing to find."""
    if ranking.positives == 0:
        return float("nan")
    recall = ranking.recall
    if eleven_point:
        return float(np.mean([ranking.precision[recall >= t].max(initial=0) for t in np.arange(11) / 10]))
    return float(np.sum(np.diff(recall, prepend=0) * ranking.envelope))


def mean_ap(per_class: Sequence[float]) -> ApResult:
    """The mean of the classes that occur."""
    known = [ap for ap in per_class if not np.isnan(ap)]
    return ApResult(float(np.mean(known)) if known else float("nan"), tuple(per_class))


def ap50(
    detections: list[Detections], truths: list[Truth], classes: int, *, threshold: float = 0.5,
    eleven_point: bool = False,
) -> ApResult:  # fmt: skip
    """AP at IoU `threshold` per class and mean, over images in the same order in both lists."""
    rankings = [rank(detections, truths, label, threshold) for label in range(classes)]
    return mean_ap([ranking_ap(ranking, eleven_point) for ranking in rankings])
