# SPDX-License-Identifier: Apache-2.0
"""Offset convolutions for untrained networks, chosen so that every distance occurs, borders and corners included."""

from __future__ import annotations

import numpy as np

from codesign.graph.ir import Conv
from codesign.lower.calibrate import Calibrator, requant_from_affine

_CANDIDATES = 768
_PIXELS_MIN = 64  # of a map that can be expected to show every distance


def add_offset_conv(cal: Calibrator, name: str, source: str, *, bits: int, form: str, bound: int) -> str:
    """Append a 1x1 offset convolution (1 channel, or 18 for ``form`` "pairs") to ``cal``; returns its output.

    Many random channels are tried at once; those whose values cover the whole range on the picture's border and at
    its corners are kept.
    """
    codes = cal.values[source]
    low = 0 if form == "square" else -bound
    weights = cal.random_weight((_CANDIDATES, codes.shape[0], 1, 1), bits)
    acc = weights.reshape(_CANDIDATES, -1).astype(np.float32) @ codes.reshape(codes.shape[0], -1).astype(np.float32)
    acc = acc.astype(np.float64)
    spread = np.maximum(acc.std(axis=1), 1.0)
    gain = cal.rng.uniform(0.26, 0.42, _CANDIDATES) * (bound - low) / spread
    centre = (low + bound) / 2 + cal.rng.uniform(-0.5, 0.5, _CANDIDATES)
    offset = centre - gain * acc.mean(axis=1)
    values = np.clip(np.rint(acc * gain[:, None] + offset[:, None]), low, bound).astype(np.int64)
    grid = values.reshape(_CANDIDATES, *codes.shape[1:])
    keep = _best(grid, range(low, bound + 1), cal.corners, 1 if form == "square" else 18)
    cal.corners.update(int(v) for v in corner_values(grid[keep]))
    weight = np.ascontiguousarray(weights[keep])
    requant = requant_from_affine(name, weight, gain[keep], offset[keep], 0, low, bound)
    return cal.append(Conv(name, (source,), name, weight, bits, requant), 1.0, 0)


def border_values(grid: np.ndarray) -> np.ndarray:
    """Distinct values of (C, H, W) on the outermost rows and columns."""
    edges = (grid[:, 0], grid[:, -1], grid[:, :, 0], grid[:, :, -1])
    return np.unique(np.concatenate([e.ravel() for e in edges]))


def corner_values(grid: np.ndarray) -> np.ndarray:
    """Distinct values of (C, H, W) at the four corners."""
    return np.unique(grid[:, [0, 0, -1, -1], [0, -1, 0, -1]])


def _best(grid: np.ndarray, wanted: range, seen: set[int], count: int) -> np.ndarray:
    """Indices of the ``count`` candidates that cover most of ``wanted`` at borders, then most unseen corners."""
    pixels = grid.shape[1] * grid.shape[2]
    if pixels < _PIXELS_MIN:  # too few for every distance: keep most taps apart and inside, for the layers after
        reach = max(2, min(grid.shape[1:]))
        useful = ((np.abs(grid) >= 1) & (np.abs(grid) < reach)).sum(axis=(1, 2))
        return np.argsort(-useful, kind="stable")[:count]
    scores = np.empty(grid.shape[0])
    for k in range(grid.shape[0]):
        channel = grid[k : k + 1]
        corners = set(corner_values(channel).tolist())
        counts = np.bincount((channel - wanted.start).ravel(), minlength=len(wanted))
        scores[k] = 100 * border_values(channel).size + 10 * len(corners - seen) + len(corners)
        scores[k] -= 1000 * (counts.max() > 0.55 * channel.size)
    return np.argsort(-scores, kind="stable")[:count]
