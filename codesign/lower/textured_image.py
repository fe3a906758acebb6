# SPDX-License-Identifier: Apache-2.0
"""A synthetic picture with structure at every scale, for calibrating and exercising untrained networks."""

from __future__ import annotations

import numpy as np


def textured_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 (height, width, 3): smooth noise in octaves of 2 to 128 pixels, rectangles and grain; same for a seed."""
    rng = np.random.default_rng([seed, height, width])
    picture = np.zeros((height, width, 3))
    for cell in (2, 4, 8, 16, 32, 64, 128):
        picture += _smooth_noise(rng, height, width, cell)
    for _ in range(12):
        top, left = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(4, max(5, height // 2)), rng.integers(4, max(5, width // 2))
        picture[top : top + tall, left : left + wide] += rng.normal(0, 1.5, 3)
    picture += rng.normal(0, 0.3, picture.shape)
    picture = (picture - picture.mean()) / picture.std() * 56 + 128
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """Bilinear noise (height, width, 3) on a grid of ``cell`` pixels."""
    grid = rng.normal(0, 1, (height // cell + 2, width // cell + 2, 3))
    y, x = np.arange(height) / cell, np.arange(width) / cell
    iy, ix = y.astype(int), x.astype(int)
    fy, fx = (y - iy)[:, None, None], (x - ix)[None, :, None]
    top = grid[iy][:, ix] * (1 - fx) + grid[iy][:, ix + 1] * fx
    low = grid[iy + 1][:, ix] * (1 - fx) + grid[iy + 1][:, ix + 1] * fx
    return top * (1 - fy) + low * fy
