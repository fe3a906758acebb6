# SPDX-License-Identifier: Apache-2.0
"""Charts of one simulated frame: where each layer's cycles went, the roofline, and the engines over time."""

from __future__ import annotations

from typing import Any

from codesign.boards import Board
from codesign.report.charts import COLOURS
from codesign.report.html.axes import Scale, drawing, frame, noted, widened
from codesign.report.html.page import figure, legend
from codesign.report.layers import dram_bytes
from codesign.report.roofline import points
from codesign.report.shares import CAUSES, REST, Shares

WIDTH, LABEL = 900, 82  #: of charts over time, and of the names beside them
_PANELS = {"pointwise": "pointwise array", "depthwise": "depthwise units"}
_GAP = 1500  #: instructions of one layer less than this share of the frame apart are drawn as one


def efficiency(shares: Shares) -> str:
    """A bar per layer and engine: as wide as it holds its engine, each part a cause."""
    height, gap, marks = 150, 46, ""
    for number, (kind, name) in enumerate(_PANELS.items()):
        top = number * (height + gap) + 20
        useful = 100 * shares.engine(kind)["useful"] / (max(1, shares.units[kind]) * shares.total)
        marks += f'<text x="0" y="{top - 6}">{name}: useful in {useful:.1f} % of {shares.total:,} cycles (dashed)</text>'
        marks += _bars(shares, kind, top, height)
        line = top + height * (1 - useful / 100)
        marks += f'<path class="mean" d="M0 {line:.1f}H{WIDTH}"/>'
    svg = drawing(WIDTH, len(_PANELS) * (height + gap), marks, "Where the cycles of each layer went")
    caption = "Layers from left to right in the order they begin; width is cycles, height is share: every unit of area is a cycle."
    return figure("efficiency", svg, caption, legend([(f"var(--{cause})", text) for cause, (_, text) in COLOURS.items()]))


def _bars(shares: Shares, kind: str, top: float, height: float) -> str:
    x, units, out = Scale(0, shares.total, 0, WIDTH), max(1, shares.units[kind]), []
    at = 0.0
    for name, share in shares.layers[kind].items():
        if not share.total:
            continue
        wide, floor = share.total / units, float(top + height)
        tip = f"{name or 'after the last layer'}: {round(wide):,} cycles of the {_PANELS[kind]}"
        tip += "".join(f"\n{COLOURS[c][1]}: {share.cycles[c] / share.total:.1%}" for c in CAUSES if share.cycles[c])
        parts = ""
        for cause in CAUSES:
            tall = height * share.cycles[cause] / share.total
            if tall > 0.05:
                floor -= tall
                parts += f'<rect x="{x(at):.2f}" y="{floor:.1f}" width="{max(0.3, x(wide)):.2f}" height="{tall:.1f}" style="fill:var(--{cause})"/>'
        out.append(f"<g {noted(tip, name != REST)}>{parts}</g>")
        at += wide
    return "".join(out)


def roofline(shares: Shares, board: Board) -> str:
    """MACs per byte against MACs per cycle, under the roofs of both kinds of engine."""
    rows, config = points(shares), board.accelerator
    if not rows:
        return ""
    macs = sum(share.macs for kind in _PANELS for share in shares.layers[kind].values())
    traffic = sum(sum(each) for each in dram_bytes(shares.works).values())
    whole = (macs / max(1, traffic), macs / shares.total)
    xs = widened([*(p.intensity for p in rows), whole[0], 1], True)
    axes = frame(xs, widened([*(p.speed for p in rows), whole[1], config.array_macs * 1.3], True), ("MACs per byte of DRAM traffic", "MACs per cycle"), (True, True))
    marks = ""
    for kind, peak, style in (("pointwise", config.array_macs, "roof1"), ("depthwise", config.depthwise_macs, "roof2")):
        knee = min(max(peak / board.dram.bytes_per_cycle, xs[0]), xs[1])
        low = max(axes.y.low, min(peak, board.dram.bytes_per_cycle * xs[0]))
        start = max(xs[0], low / board.dram.bytes_per_cycle)
        marks += f'<path class="{style}" d="M{axes.x(start):.1f} {axes.y(low):.1f}L{axes.x(knee):.1f} {axes.y(peak):.1f}H{axes.x(xs[1]):.1f}"/>'
        marks += f'<text x="{axes.x(xs[1]) - 4:.1f}" y="{axes.y(peak) - 5:.1f}" text-anchor="end" class="soft">{peak} {kind} multipliers</text>'
    for point in rows:
        size = 2.5 + 26 * (point.cycles / shares.total) ** 0.5
        tip = f"{point.name} ({point.kind})\n{point.speed:.1f} MACs a cycle, {point.intensity:.1f} MACs a byte\n{round(point.cycles):,} cycles"
        kind = "one" if point.kind == "pointwise" else "two"
        marks += f'<circle class="{kind}" opacity=".6" cx="{axes.x(point.intensity):.1f}" cy="{axes.y(point.speed):.1f}" r="{size:.1f}" {noted(tip, True)}/>'
    star = f"whole frame\n{whole[1]:.1f} MACs a cycle, {whole[0]:.1f} MACs a byte"
    marks += f'<circle class="over" cx="{axes.x(whole[0]):.1f}" cy="{axes.y(whole[1]):.1f}" r="7" {noted(star, True)}/>'
    caption = "A point per layer, as large as its cycles; maps that stay in the scratchpad put a layer far to the right."
    colours = [("var(--one)", "pointwise array"), ("var(--two)", "depthwise units"), ("var(--bad)", "whole frame")]
    return figure("roofline", axes.svg(marks, "Roofline"), caption, legend(colours))


def timeline(trace: dict[str, Any]) -> str:
    """A row per engine, a bar per run of instructions of one layer."""
    at = {name: place for place, name in enumerate(trace["columns"])}
    total, tall = max(1, trace["cycles"]), 24
    x, marks = Scale(0, total, LABEL, WIDTH), ""
    for value in Scale(0, total, 0, 1).ticks(8):
        marks += f'<path class="grid" d="M{x(value):.1f} 0V{tall * len(trace["engines"])}"/>'
        marks += f'<text class="soft" text-anchor="middle" x="{x(value):.1f}" y="{tall * len(trace["engines"]) + 16}">{value:,.0f}</text>'
    hues: dict[str, int] = {}
    for number, engine in enumerate(trace["engines"]):
        marks += f'<text x="0" y="{tall * number + 16}">{engine["name"]}</text>'
        for name, start, end, count in _runs(engine["events"], at, total):
            hue = hues.setdefault(name, len(hues) * 47 % 360)
            tip = f"{name or 'program'} on {engine['name']}\ncycles {start:,} to {end:,}, {count} instructions"
            place = f'x="{x(start):.2f}" y="{tall * number + 3}" width="{max(0.25, x(end) - x(start)):.2f}" height="{tall - 6}"'
            marks += f'<rect {place} fill="hsl({hue} 52% 52%)" {noted(tip)}/>'
    svg = drawing(WIDTH, tall * len(trace["engines"]) + 24, marks, "Engines over time")
    return figure("timeline", svg, "Cycles of the frame from left to right, a colour per layer. The same, instruction by instruction: trace.json in ui.perfetto.dev.")


def _runs(events: list[list[Any]], at: dict[str, int], total: int) -> list[tuple[str, int, int, int]]:
    """(layer, start, end, instructions); short pauses within a layer are left out."""
    runs: list[tuple[str, int, int, int]] = []
    before = 0
    for event in events:
        name, start, end = event[at["node"]], min(max(event[at["start"]], before), event[at["retire"]]), event[at["retire"]]
        before = max(before, end)
        if runs and runs[-1][0] == name and start - runs[-1][2] < total / _GAP:
            runs[-1] = name, runs[-1][1], max(end, runs[-1][2]), runs[-1][3] + 1
        else:
            runs.append((name, start, end, 1))
    return runs
