# SPDX-License-Identifier: Apache-2.0
"""The efficiency ("waterline") chart: a bar per layer, as wide as the cycles it holds its engine for, as high as useful.

Every unit of area is a cycle: what is not useful is coloured by its cause. The line is the engine's mean over the frame.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from codesign.report.charts import COLOURS, figure
from codesign.report.shares import CAUSES, REST, Shares

NAMED = 0.016  #: least share of the frame whose bar carries a name
PANELS = {"pointwise": "pointwise array", "depthwise": "depthwise units (mean)"}


def waterline(shares: Shares, title: str) -> Figure:
    """One panel for the pointwise array and one for the depthwise units, both over the frame's cycles."""
    drawn = figure(title, 15, 9)
    axes = drawn.subplots(len(PANELS), 1, sharex=True)
    for axis, kind in zip(axes, PANELS, strict=True):
        _panel(axis, shares, kind)
    axes[-1].set_xlabel("cycles of the frame, by layer in the order they begin")
    handles = [Patch(facecolor=colour, label=text) for colour, text in COLOURS.values()]
    drawn.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    return drawn


def _panel(axis: Axes, shares: Shares, kind: str) -> None:
    units = max(1, shares.units[kind])
    names = [name for name, share in shares.layers[kind].items() if share.total]
    rows = [shares.layers[kind][name] for name in names]
    widths = np.array([row.total / units for row in rows])
    left = np.concatenate([[0], np.cumsum(widths)[:-1]])
    heights = np.array([[row.cycles[cause] / row.total for cause in CAUSES] for row in rows]) * 100
    floor = np.zeros(len(rows))
    for cause, column in zip(CAUSES, heights.T, strict=True):
        axis.bar(left, column, widths, floor, align="edge", color=COLOURS[cause][0], edgecolor="white", linewidth=0.3)
        floor += column
    mean = 100 * shares.engine(kind)["useful"] / (units * shares.total)
    axis.axhline(mean, color="black", linewidth=1, linestyle="--")
    axis.set_title(f"{PANELS[kind]}: useful in {mean:.1f} % of {shares.total:,} cycles (dashed)", loc="left", fontsize=10)
    axis.set(xlim=(0, shares.total), ylim=(0, 100), ylabel="% of the layer's cycles")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    for name, at, width in zip(names, left, widths, strict=True):
        if name != REST and width > NAMED * shares.total:
            box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
            axis.text(at + width / 2, 2, name, rotation=90, ha="center", va="bottom", fontsize=7, bbox=box)
