# SPDX-License-Identifier: Apache-2.0
"""The roofline: MACs per byte of DRAM traffic against MACs per cycle, a point per layer, under the board's roofs.

A layer's cycles are those it holds its engine for (the pointwise array, or the mean of the depthwise units): busy and
waiting, without those in which the engine had no instruction. Its maps are loaded and stored while other layers hold the
engine, so that a point may lie above the slope. A layer whose maps stay in the scratchpad moves weights and instructions
only, and lies far to the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from codesign.boards import Board
from codesign.report.charts import figure
from codesign.report.layers import dram_bytes
from codesign.report.shares import Shares

LOOKS = {"pointwise": ("o", "#1b7f5c"), "depthwise": ("^", "#2c6fbb")}
LETTER, LINE = 0.016, 0.045  #: a name's size, in decades of the axes
LABELS = 14  #: layers named in the chart: those of most cycles


@dataclass(frozen=True)
class Point:
    """One layer: ``intensity`` in MACs per byte, ``speed`` in MACs per cycle, ``cycles`` of its engine."""

    name: str
    kind: str
    intensity: float
    speed: float
    cycles: float


def points(shares: Shares) -> list[Point]:
    """Layers that multiply, most cycles first."""
    traffic = dram_bytes(shares.works)
    found = []
    for kind in LOOKS:
        for name, share in shares.layers[kind].items():
            held = share.total - share.cycles["idle"]
            if share.macs and held:
                cycles = held / max(1, shares.units[kind])
                found.append(Point(name, kind, share.macs / max(1, sum(traffic[name])), share.macs / cycles, cycles))
    return sorted(found, key=lambda point: -point.cycles)


def roofline(shares: Shares, board: Board, title: str) -> Figure:
    """Log-log, with the frame as a whole as a star."""
    drawn = figure(title, 11, 7.5)
    axis = drawn.subplots()
    rows, config = points(shares), board.accelerator
    roofs = {"pointwise": config.array_macs, "depthwise": config.depthwise_macs}
    macs = sum(share.macs for kind in LOOKS for share in shares.layers[kind].values())
    traffic = sum(work.read_bytes + work.write_bytes for work in shares.works)
    whole = Point("whole frame", "", macs / max(1, traffic), macs / shares.total, shares.total)
    places = [point.intensity for point in (*rows, whole)]
    low, high = min(places) / 2, max(places) * 3
    speeds = [point.speed for point in (*rows, whole)]
    for kind, peak in roofs.items():
        _roof(axis, kind, peak, board.dram.bytes_per_cycle, low, high)
        mine = [point for point in rows if point.kind == kind]
        sizes = [12 + 1500 * point.cycles / shares.total for point in mine]
        axis.scatter([p.intensity for p in mine], [p.speed for p in mine], sizes, marker=LOOKS[kind][0],
                     color=LOOKS[kind][1], alpha=0.6, edgecolors="white", label=f"layer on the {kind} engine")  # fmt: skip
    axis.scatter([whole.intensity], [whole.speed], 160, marker="*", color="#c0392b", label="whole frame", zorder=4)
    _label(axis, [*rows[:LABELS], whole])
    axis.set(xscale="log", yscale="log", xlim=(low, high), ylim=(min(speeds) / 2, config.array_macs * 2))
    axis.set(xlabel="MACs per byte of DRAM traffic", ylabel="MACs per cycle")
    axis.grid(which="both", linewidth=0.3, alpha=0.5)
    axis.legend(loc="lower right", fontsize=8, frameon=False)
    return drawn


def _roof(axis: Axes, kind: str, peak: int, bandwidth: int, low: float, high: float) -> None:
    x = np.geomspace(low, high, 200)
    axis.plot(x, np.minimum(peak, bandwidth * x), color=LOOKS[kind][1], linewidth=1.2)
    axis.annotate(f"{peak} {kind} multipliers; DRAM {bandwidth} bytes a cycle", (high, peak), (-4, 12),
                  textcoords="offset points", ha="right", fontsize=8, color=LOOKS[kind][1])  # fmt: skip


def _label(axis: Axes, rows: list[Point]) -> None:
    """Names beside their points; one that would lie on another is moved down, with a line to its point."""
    taken: list[tuple[float, float, float]] = []  # left, right and height of a name, in decades
    for point in rows:
        left, height, down = np.log10(point.intensity), np.log10(point.speed), 0.0
        right = left + LETTER * (len(point.name) + 2)
        while any(left < b and a < right and abs(height - down - y) < LINE for a, b, y in taken):
            down += LINE
        taken.append((left, right, height - down))
        line = {"arrowstyle": "-", "linewidth": 0.5, "color": "grey"} if down else None
        axis.annotate(point.name, (point.intensity, point.speed), (point.intensity * 1.05, 10 ** (height - down)),
                      fontsize=7, arrowprops=line)  # fmt: skip
