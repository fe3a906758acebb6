# SPDX-License-Identifier: Apache-2.0
"""AP50 by form and kind of scene, and the distances that were learned, in one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from codesign.build.artefacts import write_whole
from codesign.study.distances import SOURCE, WIDEST, histogram, layers_of, shares
from codesign.study.scenes import KINDS
from codesign.study.table import Row, accuracy, kinds_of
from codesign.study.variant import VARIANTS

_COLOURS = ("#2c6fbb", "#e08e45", "#1b7f5c")


def save_plot(rows: Sequence[Row], path: Path) -> None:
    """Write a PNG, the same for the same rows."""
    kinds = kinds_of(rows)
    drawn = Figure(figsize=(9, 3.4 + 2.2), layout="constrained")
    FigureCanvasAgg(drawn)
    top, bottom = drawn.subfigures(2, 1, height_ratios=(3.2, 2.4))
    _accuracy(top.subplots(), rows, kinds)
    for axes, kind in zip(np.atleast_1d(bottom.subplots(1, len(kinds), sharey=True)), kinds):
        _distances(axes, rows, kind)
    out = io.BytesIO()
    with matplotlib.rc_context({"font.size": 9}):
        drawn.savefig(out, format="png", dpi=110, metadata={"Software": None})
    write_whole(path, out.getvalue())


def _accuracy(axes: Axes, rows: Sequence[Row], kinds: list[str]) -> None:
    """A dot a seed, a bar for the mean."""
    table = accuracy(rows)
    for k, kind in enumerate(kinds):
        for x, name in enumerate(table):
            values = [100 * r["ap50"] for r in rows if r["variant"] == name and r["kind"] == kind]
            if values:
                at = x + 0.25 * (k - (len(kinds) - 1) / 2)
                label = KINDS[kind].title if x == 0 else None
                axes.plot([at - 0.1, at + 0.1], [np.mean(values)] * 2, color=_COLOURS[k], lw=3, label=label)
                axes.plot([at] * len(values), values, ".", color=_COLOURS[k], ms=7, alpha=0.6)
    axes.set_xticks(range(len(table)), [VARIANTS[name].title.replace(", ", "\n") for name in table], fontsize=8)
    axes.set_ylabel("AP50, points")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)


def _distances(axes: Axes, rows: Sequence[Row], kind: str) -> None:
    """Shares of distances of the rounded square form, layer by layer."""
    layers = layers_of(rows, SOURCE)
    for n, layer in enumerate(layers):
        width = 0.8 / len(layers)
        at = np.arange(WIDEST + 1) + (n - (len(layers) - 1) / 2) * width
        axes.bar(at, [100 * s for s in shares(histogram(rows, SOURCE, kind, layer))], width, label=layer, color=_COLOURS[n % 3])
    axes.set_title(f"{VARIANTS[SOURCE].title}: {KINDS[kind].title}", fontsize=9)
    axes.set_xlabel("distance, pixels of the layer's map")
    axes.set_ylabel("% of pixels")
    if layers:
        axes.legend(fontsize=8)
