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
        _box(pen, box * zoom, colour, 3 if missed else 2)
        _tag(pen, font, (float(box[0]) * zoom, float(box[3]) * zoom), colour, text, image.size)  # below: detections' are above
    shown = verdict.shown
    for k in np.argsort(shown.scores, kind="stable"):  # the best on top
        box, score, label = shown.boxes[k], shown.scores[k], int(shown.labels[k])
        colour = {1: HIT, 0: FALSE, -1: IGNORED}[int(verdict.outcome[k])]
        _box(pen, box * zoom, colour, 3)
        _tag(pen, font, (float(box[0]) * zoom, float(box[1]) * zoom - _TEXT - 3), colour, f"{_name(labels, label)} {score:.2f}", image.size)
    _strip(pen, font, tall * zoom, title)
    return image


def _name(labels: list[str], label: int) -> str:
    return labels[label] if label < len(labels) else str(label)


def _box(pen: ImageDraw.ImageDraw, box: np.ndarray, colour: str, width: int) -> None:
    left, top, right, bottom = (float(v) for v in box)
    pen.rectangle([left, top, max(left, right), max(top, bottom)], outline=colour, width=width)


def _tag(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, at: tuple[float, float], colour: str, text: str, size: tuple[int, int]
) -> None:  # fmt: skip
    """Text on a ground of the box's colour, kept inside the picture."""
    if not text:
        return
    long, high = pen.textlength(text, font=font) + 4, _TEXT + 3
    left, top = min(max(0.0, at[0]), max(0.0, size[0] - long)), min(max(0.0, at[1]), float(size[1] - _STRIP - high))
    pen.rectangle([left, top, left + long, top + high], fill=colour)
    pen.text((left + 2, top), text, fill="black", font=font)


def _strip(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, top: int, title: str) -> None:
    pen.text((8, top + 4), title, fill="white", font=font)
    across = 8.0
    for text, colour in _LEGEND:
        pen.rectangle([across, top + 28, across + 12, top + 38], outline=colour, width=3)
        pen.text((across + 18, top + 24), text, fill=colour, font=font)
        across += 34 + pen.textlength(text, font=font)
