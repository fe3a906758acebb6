# SPDX-License-Identifier: Apache-2.0
"""Points of a sweep: latency against AP50, or against the share of the device where no accuracy was measured."""

from __future__ import annotations

from typing import Any

from codesign.report.html.axes import Frame, frame, noted, widened
from codesign.report.html.page import figure, legend

#: at most so many points that are only estimated are drawn
MOST = 2500
_LABELS = {"rtl": "simulated in RTL", "planned": "by the latency model, planned as built", "planned by one policy": "by the latency model",
           "estimated": "estimated"}  # fmt: skip


def pareto(points: list[dict[str, Any]], name: str = "pareto") -> str:
    """The chart with its legend; empty where there is nothing to draw."""
    accurate = any(point["ap50"] is not None for point in points) and len({point["ap50"] for point in points}) > 1
    key, title = ("ap50", "AP50") if accurate else ("area", "share of the device")
    rows = [point for point in points if point[key] is not None and point["latency_ms"] and point["cycles"]]
    if not rows:
        return ""
    axes = frame(widened([p["latency_ms"] for p in rows], True), widened([p[key] for p in rows], False), ("ms a frame", title), (True, False))
    back = [p for p in rows if not p["front"]]
    back = back[:: max(1, -(-len(back) // MOST))]
    front = sorted((p for p in rows if p["front"]), key=lambda p: p["latency_ms"])
    marks = "".join(_mark(axes, p, key, "dot", 2.6) for p in back)
    for plain in (True, False):
        line = [p for p in front if _plain(p) == plain]
        marks += _steps(axes, line, key, accurate, plain)
    marks += "".join(_mark(axes, p, key, ("plain" if _plain(p) else "front") + (" rtl" if p["fidelity"] == "rtl" else ""), 5) for p in front)
    operators = len({_plain(p) for p in rows}) == 2
    colours = [("var(--one)", "front, deformable" if operators else "front"), *([("var(--two)", "front, plain depthwise")] if operators else []),
               ("var(--dot)", "other designs")]  # fmt: skip
    return figure(name, axes.svg(marks, f"{title} against latency"), "Ringed: checked in RTL. Point at a design, or reach it with the Tab key, to read it.", legend(colours))


def _plain(point: dict[str, Any]) -> bool:
    return "-plain" in point["network"]


def _mark(axes: Frame, point: dict[str, Any], key: str, kind: str, size: float) -> str:
    at = f'cx="{axes.x(point["latency_ms"]):.1f}" cy="{axes.y(point[key]):.1f}" r="{size}"'
    return f'<circle class="{kind}" {at} {noted(said(point), kind != "dot")}/>'


def _steps(axes: Frame, line: list[dict[str, Any]], key: str, accurate: bool, plain: bool) -> str:
    """What is reached at least, from one point of the front to the next."""
    if len(line) < 2:
        return ""
    path, best = "", None
    for point in line:
        better = best is None or (point[key] > best if accurate else point[key] < best)
        if not better:
            continue
        best = point[key]
        x, y = axes.x(point["latency_ms"]), axes.y(best)
        path += f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}"
    return f'<path class="step{" plainline" if plain else ""}" d="{path}"/>'


def said(point: dict[str, Any]) -> str:
    """A point in a few lines."""
    accuracy = "" if point["ap50"] is None else f"AP50 {point['ap50']:.4f}\n"
    return (
        f"{point['network']}\n{point['design']}\n{accuracy}{point['latency_ms']:.3f} ms, {point['fps']:.1f} frames/s ({_LABELS[point['fidelity']]})\n"
        f"{point['lut']:,} LUT, {point['ff']:,} FF, {point['dsp']} DSP, {point['bram36']} block RAMs (estimated)\n"
        f"{point['energy_uj']:,.0f} uJ a frame by the energy proxy"
    )
