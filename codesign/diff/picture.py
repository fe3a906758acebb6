# SPDX-License-Identifier: Apache-2.0
"""Where values differ, as a picture: the input, the first differing layer's map, and every layer's share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codesign.diff.finding import Finding, LayerCheck
from codesign.report.charts import figure, save

_NAMED = 40  # layers whose names fit below the bars


def heat_map(path: Path, title: str, codes: np.ndarray, checks: Sequence[LayerCheck], finding: Finding | None) -> None:
    """Write ``path`` (.png and .svg). ``codes`` int8 (C, H, W) are the input's; ``checks`` every layer's, in order."""
    drawn = figure(title, 11, 7.5)
    grid = drawn.add_gridspec(2, 2, height_ratios=(1.4, 1))
    _input(drawn.add_subplot(grid[0, 0]), codes, finding)
    _layer(drawn, drawn.add_subplot(grid[0, 1]), finding)
    _shares(drawn.add_subplot(grid[1, :]), checks, finding)
    save(drawn, path)


def _input(axes, codes: np.ndarray, finding: Finding | None) -> None:
    pixels = (codes.astype(np.int16) + 128).astype(np.uint8).transpose(1, 2, 0)
    axes.imshow(pixels if pixels.shape[2] == 3 else pixels[:, :, 0], cmap="gray")
    axes.set_title("input, and where the first difference lies", fontsize=9)
    axes.set_axis_off()
    if finding is not None:
        _, height, width = finding.check.bad.shape
        scale_y, scale_x = codes.shape[1] / height, codes.shape[2] / width
        axes.plot((finding.x + 0.5) * scale_x, (finding.y + 0.5) * scale_y, "o", mfc="none", mec="#c0392b", mew=2, ms=16)


def _layer(drawn, axes, finding: Finding | None) -> None:
    if finding is None:
        axes.text(0.5, 0.5, "no layer differs", ha="center", va="center", fontsize=14, color="#1b7f5c")
        axes.set_axis_off()
        return
    counts = finding.check.bad.sum(axis=0)
    shown = axes.imshow(counts, cmap="magma", vmin=0, vmax=max(1, int(counts.max())))
    axes.plot(finding.x, finding.y, "s", mfc="none", mec="#2cb5e8", mew=2, ms=9)
    axes.set_title(f"{finding.check.node.name}: channels that differ at each place", fontsize=9)
    drawn.colorbar(shown, ax=axes, shrink=0.8)


def _shares(axes, checks: Sequence[LayerCheck], finding: Finding | None) -> None:
    shares = np.array([100 * check.differing / check.bad.size for check in checks])
    colours = ["#c0392b" if finding is not None and check is finding.check else "#e08e45" for check in checks]
    axes.bar(range(len(checks)), shares, color=colours)
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_ylim(0, 100)
    axes.set_ylabel("% of values", fontsize=8)
    axes.set_title("layers that do not compute the contract on the inputs they had", fontsize=9)
    step = -(-len(checks) // _NAMED)
    axes.set_xticks(range(0, len(checks), step), [check.node.name for check in checks[::step]], rotation=90, fontsize=6)
