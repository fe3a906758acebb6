# SPDX-License-Identifier: Apache-2.0
"""Bar chart of what each layer loses at 4 bits, most sensitive on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codesign.report.charts import figure, save

KEEP, LOWER = "#c0392b", "#2c6fbb"


def draw_sensitivity(path: Path, rows: Sequence[tuple[str, float]], keep: Sequence[str], title: str) -> None:
    """Write `path` (PNG, and SVG beside it): (layer, AP50 points lost) in order; layers in `keep` stand out."""
    drawn = figure(title, 8.0, 1.2 + 0.19 * len(rows))
    axes = drawn.add_subplot()
    places = range(len(rows), 0, -1)
    axes.barh(places, [lost for _, lost in rows], color=[KEEP if name in keep else LOWER for name, _ in rows])
    axes.set_yticks(list(places), [name for name, _ in rows], fontsize=7)
    axes.set_ylim(0, len(rows) + 1)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_xlabel("AP50 points lost with this layer alone at 4 bits")
    handles = [axes.barh([0], [0], color=colour, label=label) for colour, label in ((KEEP, "kept at 8 bits"), (LOWER, "4 bits"))]
    axes.legend(handles=handles, loc="lower right", fontsize=8)
    save(drawn, path)
