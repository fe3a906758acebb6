# SPDX-License-Identifier: Apache-2.0
"""Pictures on their way into a network, fitted to its input, and boxes on their way back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from codesign.data.augment import resize
from codesign.data.voc import load_image
from codesign.errors import UserError

COLOURS = ("red", "lime", "blue", "orange", "magenta", "cyan", "yellow", "purple")
GREY = 128  # beside the picture: the code of real zero


@dataclass(frozen=True)
class Fitted:
    """A picture as the network takes it: ``scale`` (y, x) and the place (``top``, ``left``) it was put at."""

    pixels: np.ndarray
    scale: tuple[float, float]
    top: int
    left: int
    size: tuple[int, int]  # the picture's own height and width

    def restore(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes [n, 4] in input pixels to the picture's own, cut at its border."""
        scale = np.array([self.scale[1], self.scale[0]] * 2)
        moved = (boxes - np.array([self.left, self.top] * 2)) / scale
        return np.clip(moved, 0, np.array([self.size[1], self.size[0]] * 2))


def letterbox(pixels: np.ndarray, height: int, width: int) -> Fitted:
    """uint8 RGB of any size, whole and undistorted, in height x width; grey beside it. Same size: unchanged."""
    tall, wide = pixels.shape[:2]
    if (tall, wide) == (height, width):
        return Fitted(pixels, (1.0, 1.0), 0, 0, (tall, wide))
    scale = min(height / tall, width / wide)
    rows, cols = max(1, min(height, round(tall * scale))), max(1, min(width, round(wide * scale)))
    top, left = (height - rows) // 2, (width - cols) // 2
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[top : top + rows, left : left + cols] = resize(pixels, (rows, cols))
    return Fitted(canvas, (rows / tall, cols / wide), top, left, (tall, wide))


def stretch(pixels: np.ndarray, height: int, width: int) -> Fitted:
    """uint8 RGB resized to height x width, as training does."""
    tall, wide = pixels.shape[:2]
    same = (tall, wide) == (height, width)
    return Fitted(pixels if same else resize(pixels, (height, width)), (height / tall, width / wide), 0, 0, (tall, wide))


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


def annotate(pixels: np.ndarray, boxes: np.ndarray, labels: list[str]) -> Image.Image:
    """The picture with its boxes and labels drawn in."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for box, label in zip(boxes, labels, strict=True):
        colour = COLOURS[sum(label.encode()) % len(COLOURS)]
        (left, right), (top, bottom) = sorted(map(float, box[0::2])), sorted(map(float, box[1::2]))
        draw.rectangle([left, top, right, bottom], outline=colour, width=2)
        at = (left + 2, max(0.0, top - 11))
        draw.text(at, label, fill=colour)
    return image
