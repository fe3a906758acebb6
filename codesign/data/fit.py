# SPDX-License-Identifier: Apache-2.0
"""Fitting a picture to a network's input, and boxes back: stretched, or letterboxed (whole and undistorted, grey beside it).

A model is trained with one of the two and says which in its file; everything that runs it fits pictures the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from codesign.errors import UserError

FITS = ("stretch", "letterbox")
STRETCH, LETTERBOX = FITS
GREY = 128  # beside a letterboxed picture: the code of real zero


@dataclass(frozen=True)
class Fitted:
    """A picture as the network takes it: ``scale`` (y, x) and the place (``top``, ``left``) it was put at."""

    pixels: np.ndarray
    scale: tuple[float, float]
    top: int
    left: int
    size: tuple[int, int]  # the picture's own height and width

    def place(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes [n, 4] in the picture's own pixels to input pixels."""
        return boxes * self._factor() + np.array([self.left, self.top] * 2)

    def restore(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes [n, 4] in input pixels to the picture's own, cut at its border."""
        moved = (boxes - np.array([self.left, self.top] * 2)) / self._factor()
        return np.clip(moved, 0, np.array([self.size[1], self.size[0]] * 2))

    def _factor(self) -> np.ndarray:
        return np.array([self.scale[1], self.scale[0]] * 2)


def fit_picture(pixels: np.ndarray, height: int, width: int, how: str = STRETCH) -> Fitted:
    """uint8 RGB of any size in height x width, ``how`` one of `FITS`."""
    return letterbox(pixels, height, width) if checked_fit(how) == LETTERBOX else stretch(pixels, height, width)


def checked_fit(how: object, where: str = "fit") -> str:
    """``how``, if it is one of `FITS`."""
    if not isinstance(how, str) or how not in FITS:
        raise UserError(f"{where} {repr(how)[:60]}: must be {' or '.join(FITS)}")
    return how


def letterbox(pixels: np.ndarray, height: int, width: int) -> Fitted:
    """uint8 RGB of any size, whole and undistorted, in height x width; grey beside it. Same size: unchanged."""
    tall, wide = pixels.shape[:2]
    if (tall, wide) == (height, width):
        return Fitted(pixels, (1.0, 1.0), 0, 0, (tall, wide))
    scale = fit_scale((tall, wide), (height, width), LETTERBOX)[0]
    rows, cols = max(1, min(height, round(tall * scale))), max(1, min(width, round(wide * scale)))
    top, left = (height - rows) // 2, (width - cols) // 2
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[top : top + rows, left : left + cols] = resize(pixels, (rows, cols))
    return Fitted(canvas, (rows / tall, cols / wide), top, left, (tall, wide))


def stretch(pixels: np.ndarray, height: int, width: int) -> Fitted:
    """uint8 RGB resized to height x width, whatever its shape."""
    tall, wide = pixels.shape[:2]
    return Fitted(resize(pixels, (height, width)), (height / tall, width / wide), 0, 0, (tall, wide))


def fit_scale(source: tuple[int, int], target: tuple[int, int], how: str = STRETCH) -> tuple[float, float]:
    """Factors (y, x) by which a picture of size ``source`` (height, width) is enlarged to fill or fit ``target``."""
    factors = target[0] / source[0], target[1] / source[1]
    return (min(factors), min(factors)) if how == LETTERBOX else factors


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [h, w, 3] stretched to size = (height, width) in pixels; unchanged if it has that size already."""
    if image.shape[:2] == tuple(size):
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))
