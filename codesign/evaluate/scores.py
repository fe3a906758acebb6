# SPDX-License-Identifier: Apache-2.0
"""All metrics of one evaluation, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.decode import Detections
from codesign.evaluate.ap import ApResult, mean_ap, ranking_ap
from codesign.evaluate.coco import CocoResult, coco_ap
from codesign.evaluate.ranking import Ranking, rank
from codesign.evaluate.truth import Truth

METRICS = ("voc", "voc07", "coco")
_HEADS = {"voc": ("AP50",), "voc07": ("AP50 VOC07",), "coco": ("COCO AP", "COCO AP50", "COCO AP75")}
_POINTS = 101  # of a curve in the JSON


@dataclass(frozen=True)
class Scores:
    """One evaluation: the classes' rankings at IoU 0.5, and every metric that was asked for (others are None)."""

    labels: tuple[str, ...]
    rankings: tuple[Ranking, ...]
    voc: ApResult
    voc07: ApResult | None
    coco: CocoResult | None

    def table(self) -> list[str]:
        """A line per class with its number of boxes and its AP under each metric, then the means."""
        metrics = [name for name in METRICS if name == "voc" or getattr(self, name) is not None]
        wide = max(5, *(len(label) for label in self.labels))
        heads = [head for name in metrics for head in _HEADS[name]]
        lines = [f"{'class':<{wide}} {'boxes':>7}  " + "  ".join(f"{head:>10}" for head in heads)]
        rows = [(label, self.rankings[k].positives, self._row(metrics, k)) for k, label in enumerate(self.labels)]
        rows.append(("mean", sum(ranking.positives for ranking in self.rankings), self._row(metrics, None)))
        for label, boxes, values in rows:
            shown = "  ".join(f"{'-' if np.isnan(value) else f'{value:.4f}':>10}" for value in values)
            lines.append(f"{label:<{wide}} {boxes:>7}  {shown}")
        if self.coco is not None:
            sizes = (("small", self.coco.small), ("medium", self.coco.medium), ("large", self.coco.large))
            lines.append("COCO AP by size: " + ", ".join(f"{n} {'-' if np.isnan(v) else f'{v:.4f}'}" for n, v in sizes))
        return lines

    def _row(self, metrics: Sequence[str], label: int | None) -> list[float]:
        values: list[float] = []
        for name in metrics:
            if name == "coco":
                assert self.coco is not None
                found = self.coco
                values += [found.ap, found.ap50, found.ap75] if label is None else [
                    found.per_class[label], found.per_class_50[label], found.per_class_75[label]]  # fmt: skip
            else:
                result: ApResult = getattr(self, name)
                values.append(result.mean if label is None else result.per_class[label])
        return values

    def to_json(self) -> dict[str, Any]:
        """Metrics by name, per class by label; precision at 101 recalls; NaN as None."""
        document: dict[str, Any] = {"boxes": {label: r.positives for label, r in zip(self.labels, self.rankings)}}
        for name in ("voc", "voc07"):
            result: ApResult | None = getattr(self, name)
            if result is not None:
                document[name] = {"ap50": _number(result.mean), "per_class": self._by_label(result.per_class)}
        if self.coco is not None:
            plain = {key: _number(getattr(self.coco, key)) for key in ("ap", "ap50", "ap75", "small", "medium", "large")}
            each = {key: self._by_label(getattr(self.coco, key)) for key in ("per_class", "per_class_50", "per_class_75")}
            document["coco"] = plain | each
        curves = {label: _curve(ranking) for label, ranking in zip(self.labels, self.rankings) if ranking.positives}
        return document | {"precision_at_recall": curves}

    def _by_label(self, values: Sequence[float]) -> dict[str, float | None]:
        return {label: _number(value) for label, value in zip(self.labels, values)}


def score(found: Sequence[Detections], truths: Sequence[Truth], labels: Sequence[str], metrics: Sequence[str] = METRICS) -> Scores:
    """Every metric in ``metrics`` over images in the same order in both; VOC's area AP50 is always there."""
    rankings = tuple(rank(found, truths, label) for label in range(len(labels)))
    voc = mean_ap([ranking_ap(ranking) for ranking in rankings])
    voc07 = mean_ap([ranking_ap(ranking, eleven_point=True) for ranking in rankings]) if "voc07" in metrics else None
    coco = coco_ap(found, truths, len(labels)) if "coco" in metrics else None
    return Scores(tuple(labels), rankings, voc, voc07, coco)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _curve(ranking: Ranking) -> list[float]:
    """Best precision at recall 0, 0.01, .. 1 or higher."""
    at = np.searchsorted(ranking.recall, np.linspace(0, 1, _POINTS), side="left")
    return [round(float(value), 6) for value in np.append(ranking.envelope, 0)[at]]
