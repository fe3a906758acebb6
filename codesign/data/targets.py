# SPDX-License-Identifier: Apache-2.0
"""CenterNet training targets (arXiv 1904.07850): heatmap, size and offset at output stride 4.

The Gaussian radius is CenterNet's published formula; its algebra is known to be off, and it trains better here than
the corrected one, whose radii are 0 or 1 for small objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRIDE = 4


@dataclass(frozen=True)
class Targets:
    """heatmap float32 [classes, h, w]; per object: index int64 [n] = y*w + x, size and offset float32 [n, 2]."""

    heatmap: np.ndarray
    index: np.ndarray
    size: np.ndarray  # (width, height) in cells
    offset: np.ndarray  # (x, y) fraction of a cell


def gaussian_radius(height: float, width: float, overlap: float = 0.7) -> float:
    """Published radius, in cells, within which a shifted box of the same size keeps IoU >= overlap."""
    b1 = height + width
    c1 = width * height * (1 - overlap) / (1 + overlap)
    r1 = (b1 + np.sqrt(b1**2 - 4 * c1)) / 2
    b2 = 2 * (height + width)
    c2 = (1 - overlap) * width * height
    r2 = (b2 + np.sqrt(b2**2 - 16 * c2)) / 2
    b3 = -2 * overlap * (height + width)
    c3 = (overlap - 1) * width * height
    r3 = (b3 + np.sqrt(b3**2 - 16 * overlap * c3)) / 2
    return float(min(r1, r2, r3))


def draw_gaussian(plane: np.ndarray, x: int, y: int, radius: int) -> None:
    """Raise `plane` [h, w] to a Gaussian of peak 1 at (x, y), sigma = (2*radius + 1) / 6, in place."""
    sigma = (2 * radius + 1) / 6
    h, w = plane.shape
    x0, x1, y0, y1 = max(0, x - radius), min(w, x + radius + 1), max(0, y - radius), min(h, y + radius + 1)
    dy, dx = np.mgrid[y0 - y : y1 - y, x0 - x : x1 - x]
    patch = np.exp(-(dx * dx + dy * dy) / (2 * sigma * sigma)).astype(plane.dtype)
    np.maximum(plane[y0:y1, x0:x1], patch, out=plane[y0:y1, x0:x1])


def make_targets(boxes: np.ndarray, labels: np.ndarray, classes: int, size: tuple[int, int]) -> Targets:
    """Targets of one image. boxes [n, 4] in input pixels, inside the image; size = (height, width) in pixels."""
    h, w = size[0] // STRIDE, size[1] // STRIDE
    heatmap = np.zeros((classes, h, w), np.float32)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4) / STRIDE
    wh = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2
    cell = np.clip(centre.astype(np.int64), 0, np.array([w - 1, h - 1]))
    for (x, y), (bw, bh), label in zip(cell, wh, labels, strict=True):
        radius = max(0, int(gaussian_radius(np.ceil(bh), np.ceil(bw))))
        draw_gaussian(heatmap[label], int(x), int(y), radius)
    return Targets(heatmap, cell[:, 1] * w + cell[:, 0], wh, (centre - cell).astype(np.float32))
