# SPDX-License-Identifier: Apache-2.0
"""Pictures on their way into a network: letterboxed to its input, and boxes on their way back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from codesign.data.voc import load_image
from codesign.errors import UserError

GREY = 128  # beside the picture: the code of real zero


@dataclass(frozen=True)
class Letterbox:
    """A picture scaled by ``scale`` and put at (``left``, ``top``) of the network's input."""

    pixels: np.ndarray
    scale: float
    left: int
    top: int
    height: int
    width: int

    def restore(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes [n, 4] in input pixels to the picture's own, cut at its border."""
        moved = (boxes - np.array([self.left, self.top, self.left, self.top])) / self.scale
        return np.clip(moved, 0, np.array([self.width, self.height, self.width, self.height]))


def letterbox(pixels: np.ndarray, height: int, width: int) -> Letterbox:
    """uint8 RGB of any size, whole and undistorted, in height x width; grey beside it. Same size: unchanged."""
    tall, wide = pixels.shape[:2]
    scale = min(height / tall, width / wide)
    if (tall, wide) == (height, width):
        return Letterbox(pixels, 1.0, 0, 0, tall, wide)
    rows, cols = max(1, min(height, round(tall * scale))), max(1, min(width, round(wide * scale)))
    small = np.asarray(Image.fromarray(pixels).resize((cols, rows), Image.Resampling.BILINEAR))
    top, left = (height - rows) // 2, (width - cols) // 2
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[top : top + rows, left : left + cols] = small
    return Letterbox(canvas, scale, left, top, tall, wide)


def load_picture(path: Path, height: int, width: int) -> np.ndarray:
    """The build's own picture, which must have the network's size."""
    pixels = load_image(path)
    if pixels.shape != (height, width, 3):
        raise UserError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}; the network takes {width}x{height}")
    return pixels


def png(pixels: np.ndarray) -> bytes:
    """uint8 RGB as a PNG file's bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def held_out_scene(height: int, width: int, number: int = 0) -> np.ndarray:
    """A digit scene uint8 (height, width, 3) from handwriting no training scene contains; the same for a number."""
    from codesign.data.digits import handwriting, render_scene

    ink, labels = handwriting("test")
    pixels, _, _ = render_scene(np.random.default_rng([1, 1, number]), ink, labels, max(height, width))
    return np.ascontiguousarray(pixels[:height, :width])
