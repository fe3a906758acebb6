# SPDX-License-Identifier: Apache-2.0
"""Geometry and colour augmentation of one image with its boxes; also the plain resize used everywhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from codesign.bounded import check_range, shown_value
from codesign.data.fit import GREY, LETTERBOX, STRETCH, fit_scale, resize
from codesign.errors import UserError

__all__ = ["Augment", "augment", "recolour", "resize", "scale_boxes"]

_MOST_SCALE = 100.0


@dataclass(frozen=True)
class Augment:
    """Ranges of the random transform. Flips are off unless the classes are mirror-safe (digits are not)."""

    scale: tuple[float, float] = (0.75, 1.35)
    aspect: float = 0.15
    hflip: bool = False
    vflip: bool = False
    colour: float = 0.12
    invert: float = 0.0  # probability of a negative
    transpose: bool = False  # rows and columns may change places: with both flips, all eight symmetries
    paste: int = 0  # at most so many objects of other pictures, rare classes first (codesign.data.paste)

    def __post_init__(self) -> None:
        for name, least, most in (("aspect", 0.0, 0.99), ("colour", 0.0, 1.0), ("invert", 0.0, 1.0), ("paste", 0, 100)):
            check_range(f"augment.{name}", getattr(self, name), least, most)
        least, most = self.scale
        if not 1 / _MOST_SCALE <= least <= most <= _MOST_SCALE:
            text = shown_value(list(self.scale))
            raise UserError(f"augment.scale is {text}; it must be two numbers, the smaller first, {1 / _MOST_SCALE:g} to {_MOST_SCALE:g}")


def scale_boxes(boxes: np.ndarray, source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """Boxes [n, 4] of an image of size `source` (height, width) in the pixels of size `target`."""
    ry, rx = target[0] / source[0], target[1] / source[1]
    return np.asarray(boxes, np.float32) * np.array([rx, ry, rx, ry], np.float32)


def augment(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, size: tuple[int, int], rng: np.random.Generator,
    how: Augment, fit: str = STRETCH,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """A random affine view of `image` at size (height, width) with the boxes that stay at least 40 % visible.

    Scales vary around those of `fit`; what lies beside the picture is grey as in a letterbox, else of any colour.
    """
    fit_y, fit_x = fit_scale(image.shape[:2], size, fit)  # objects are squeezed as in the plain fit
    if how.transpose and rng.random() < 0.5:
        image, boxes = image.swapaxes(0, 1), boxes[:, [1, 0, 3, 2]]
    h, w = image.shape[:2]
    zoom = rng.uniform(*how.scale)
    stretch = np.sqrt(rng.uniform(1 - how.aspect, 1 + how.aspect))
    sx, sy = fit_x * zoom * stretch, fit_y * zoom / stretch
    tx, ty = (rng.uniform(min(0, s - e), max(0, s - e)) for s, e in ((size[1], sx * w), (size[0], sy * h)))
    if how.hflip and rng.random() < 0.5:
        sx, tx = -sx, tx + sx * w
    if how.vflip and rng.random() < 0.5:
        sy, ty = -sy, ty + sy * h
    inverse = (1 / sx, 0, -tx / sx, 0, 1 / sy, -ty / sy)
    fill = tuple(int(v) for v in rng.integers(0, 256, 3)) if fit != LETTERBOX else (GREY, GREY, GREY)
    view = Image.fromarray(image).transform(
        (size[1], size[0]), Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR, fillcolor=fill
    )
    moved = boxes.reshape(-1, 2, 2) * np.array([sx, sy]) + np.array([tx, ty])
    moved = np.concatenate([moved.min(1), moved.max(1)], 1).astype(np.float32)
    clipped = np.clip(moved, 0, np.array([size[1], size[0]] * 2, np.float32))
    keep = (_area(clipped) > 0.4 * _area(moved)) & ((clipped[:, 2:] - clipped[:, :2]).min(1, initial=1e9) >= 4)
    return recolour(np.asarray(view), rng, how), clipped[keep], labels[keep]


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def recolour(image: np.ndarray, rng: np.random.Generator, how: Augment) -> np.ndarray:
    """Per-channel gain and shift, as one table per channel."""
    levels = np.arange(256, dtype=np.float32)
    gain = rng.uniform(1 - how.colour, 1 + how.colour) * rng.uniform(0.93, 1.07, 3)
    shift = rng.uniform(-how.colour, how.colour) * 128
    tables = (levels[:, None] - 128) * gain + 128 + shift
    if rng.random() < how.invert:
        tables = 255 - tables
    tables = np.clip(tables, 0, 255).astype(np.uint8)
    return np.stack([tables[:, c][image[..., c]] for c in range(3)], -1)
