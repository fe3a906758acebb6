# SPDX-License-Identifier: Apache-2.0
"""Detections drawn on the picture they were found in."""

from __future__ import annotations

from html import escape

from codesign.decode import Detections
from codesign.report.html.axes import noted
from codesign.report.html.page import data_url

COLOURS = ("#ff5d5d", "#58e07a", "#6fb2ff", "#ffb347", "#ff7ce0", "#4fe3e3", "#ffe45c", "#c49bff")


def picture(png: bytes, size: tuple[int, int], found: Detections, labels: list[str], threshold: float) -> tuple[str, int]:
    """The drawing, and how many boxes have a score of ``threshold`` or more; ``size`` is (height, width)."""
    height, width = size
    marks, count, tall = "", 0, width / 28  # of letters
    for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
        if score < threshold:
            continue
        count += 1
        name = labels[int(label)] if int(label) < len(labels) else str(int(label))
        colour = COLOURS[int(label) % len(COLOURS)]
        (left, right), (top, bottom) = sorted((box[0], box[2])), sorted((box[1], box[3]))
        place = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
        tip = f"{name}, score {score:.3f}\n{left:.1f}, {top:.1f} to {right:.1f}, {bottom:.1f}"
        marks += f'<rect {place} stroke="{colour}" stroke-width="{width / 160:.2f}" pointer-events="all" {noted(tip, True)}/>'
        marks += f'<text x="{left + 1:.1f}" y="{max(tall, top - tall / 4):.1f}" style="fill:{colour};font-size:{tall:.1f}px;stroke-width:{tall / 4:.1f}px">{escape(name)} {score:.2f}</text>'
    image = f'<image width="{width}" height="{height}" href="{data_url(png, "image/png")}" style="image-rendering:pixelated"/>'
    svg = f'<svg class="picture" viewBox="0 0 {width} {height}" role="img" aria-label="Detections on the picture">{image}{marks}</svg>'
    return svg, count
