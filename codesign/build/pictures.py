# SPDX-License-Identifier: Apache-2.0
"""A build's pictures: its own, a scene to run where none was given, and boxes drawn into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from codesign.data.fit import fit_picture
from codesign.data.sample import load_image
from codesign.errors import UserError
from codesign.report.html.picture import COLOURS

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_LEAST_SCENE = 32  # pixels a side that a scene with digits needs


def pictures_of(path: Path) -> list[Path]:
    """A picture's own path, or the pictures of a folder by name. Raises UserError where there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such picture or folder")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{path}: holds no {', '.join(SUFFIXES)}")
    return found


def load_picture(path: Path, height: int, width: int) -> np.ndarray:
    """The build's own picture, which must have the network's size."""
    pixels = load_image(path)
    if pixels.shape != (height, width, 3):
        raise UserError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}; the network takes {width}x{height}")
    return pixels


def held_out_scene(height: int, width: int, number: int = 0) -> np.ndarray:
    """A digit scene uint8 (height, width, 3) from handwriting no training scene contains; the same for a number."""
    from codesign.data.digits import handwriting, render_scene

    ink, labels = handwriting("test")
    side = max(height, width, _LEAST_SCENE)
    pixels, _, _ = render_scene(np.random.default_rng([1, 1, number]), ink, labels, side)
    if side > max(height, width):
        return fit_picture(pixels, height, width).pixels
    return np.ascontiguousarray(pixels[:height, :width])


def annotate(pixels: np.ndarray, boxes: np.ndarray, labels: list[str], classes: Sequence[int]) -> Image.Image:
    """The picture with its boxes and their labels drawn in, a colour for every class (as on the report's page)."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for box, label, number in zip(boxes, labels, classes, strict=True):
        colour = COLOURS[number % len(COLOURS)]
        (left, right), (top, bottom) = sorted(map(float, box[0::2])), sorted(map(float, box[1::2]))
        draw.rectangle([left, top, right, bottom], outline=colour, width=2)
        at = (left + 2, max(0.0, top - 11))
        draw.text(at, label, fill=colour)
    return image
