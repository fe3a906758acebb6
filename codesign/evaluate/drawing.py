# SPDX-License-Identifier: Apache-2.0
"""A picture with its verdict drawn in: boxes found, missed and false."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from codesign.evaluate.truth import Truth
from codesign.evaluate.verdict import Verdict

TRUTH, HIT, MISS, FALSE, IGNORED = "#ffffff", "#21c55d", "#ff2d2d", "#ffa600", "#9aa4ad"
_LEGEND = (("truth, found", TRUTH), ("hit", HIT), ("missed", MISS), ("false", FALSE), ("difficult", IGNORED))
_SIDE = 900  # pixels of the longer side, at least
_TEXT, _STRIP = 15, 46  # pixels


def draw_verdict(pixels: np.ndarray, truth: Truth, verdict: Verdict, labels: list[str], title: str) -> Image.Image:
    """The picture, enlarged if it is small, with a strip below that says what the colours are."""
    tall, wide = pixels.shape[:2]
    zoom = max(1, -(-_SIDE // max(tall, wide)))
    image = Image.new("RGB", (wide * zoom, tall * zoom + _STRIP), "#20262b")
    image.paste(Image.fromarray(pixels).resize((wide * zoom, tall * zoom), Image.Resampling.BICUBIC), (0, 0))
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    for box, label, seen, missed in zip(truth.boxes, truth.labels, verdict.seen, verdict.missed):
        colour, text = (MISS, _name(labels, label)) if missed else (TRUTH if seen else IGNORED, "")
        _box(pen, font, box * zoom, colour, text, 3 if missed else 2, image.size)
    for box, score, label, outcome in zip(verdict.shown.boxes, verdict.shown.scores, verdict.shown.labels, verdict.outcome):
        colour = {1: HIT, 0: FALSE, -1: IGNORED}[int(outcome)]
        _box(pen, font, box * zoom, colour, f"{_name(labels, label)} {score:.2f}", 3, image.size)
    _strip(pen, font, tall * zoom, title)
    return image


def _name(labels: list[str], label: int) -> str:
    return labels[label] if label < len(labels) else str(label)


def _box(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, box: np.ndarray, colour: str, text: str, width: int, size: tuple[int, int]
) -> None:
    left, top, right, bottom = (float(v) for v in box)
    right, bottom = max(left, right), max(top, bottom)
    pen.rectangle([left, top, right, bottom], outline=colour, width=width)
    if text:
        long = pen.textlength(text, font=font)
        at = (min(max(0.0, left), max(0.0, size[0] - long - 4)), max(0.0, top - _TEXT - 3))
        pen.rectangle([*at, at[0] + long + 4, at[1] + _TEXT + 3], fill=colour)
        pen.text((at[0] + 2, at[1]), text, fill="black", font=font)


def _strip(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, top: int, title: str) -> None:
    pen.text((8, top + 4), title, fill="white", font=font)
    across = 8.0
    for text, colour in _LEGEND:
        pen.rectangle([across, top + 28, across + 12, top + 38], outline=colour, width=3)
        pen.text((across + 18, top + 24), text, fill=colour, font=font)
        across += 34 + pen.textlength(text, font=font)
