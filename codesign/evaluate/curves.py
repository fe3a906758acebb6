# SPDX-License-Identifier: Apache-2.0
"""Precision over recall, one small chart per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from codesign.evaluate.ranking import Ranking
from codesign.evaluate.scores import Scores

_PAGE = 20  # charts on a page
_MARKS = (0.5, 0.3, 0.1)  # scores marked on a curve


def draw_curves(scores: Scores, folder: Path, title: str) -> list[Path]:
    """precision-recall.png (and -2, -3, .. where there are more than 20 classes) in ``folder``; classes without boxes are left out."""
    shown = [k for k, ranking in enumerate(scores.rankings) if ranking.positives]
    written = []
    for page, start in enumerate(range(0, len(shown), _PAGE), start=1):
        drawn = _page(scores, shown[start : start + _PAGE], title)
        written.append(folder / f"precision-recall{f'-{page}' if page > 1 else ''}.png")
        drawn.savefig(written[-1], dpi=110, metadata={"Software": None})
    return written


def _page(scores: Scores, classes: list[int], title: str) -> Figure:
    columns = min(5, len(classes))
    rows = -(-len(classes) // columns)
    drawn = Figure(figsize=(max(4.5, 2.9 * columns), 0.8 + 2.7 * rows), layout="constrained")
    FigureCanvasAgg(drawn)
    drawn.suptitle(title, fontsize=10)
    for place, label in enumerate(classes, start=1):
        axes = drawn.add_subplot(rows, columns, place)
        _chart(axes, scores.rankings[label])
        axes.set_title(f"{scores.labels[label]}: AP50 {scores.voc.per_class[label]:.3f}", fontsize=9)
        if place > len(classes) - columns:
            axes.set_xlabel("recall", fontsize=8)
        if place % columns == 1 or columns == 1:
            axes.set_ylabel("precision", fontsize=8)
    return drawn


def _chart(axes: Axes, ranking: Ranking) -> None:
    """The curve itself, its envelope (whose area is AP50), and where a detector set to a score stands."""
    recall, precision = ranking.recall, ranking.precision
    axes.fill_between(np.append(0, recall), np.append(ranking.envelope[:1], ranking.envelope), step="pre", alpha=0.2, color="#2c6fbb", lw=0)
    axes.plot(recall, precision, color="#2c6fbb", lw=1.3)
    for least in _MARKS:
        last = int((ranking.scores >= least).sum()) - 1
        if last >= 0:
            axes.plot(recall[last], precision[last], "o", ms=3.5, color="#c0392b")
            axes.annotate(f"{least:g}", (recall[last], precision[last]), xytext=(-3, -9), textcoords="offset points", fontsize=7,
                          ha="right", color="#c0392b")  # fmt: skip
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3, lw=0.5)
