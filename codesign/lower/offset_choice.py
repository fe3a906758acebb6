# SPDX-License-Identifier: Apache-2.0
"""Offset convolutions for untrained networks, chosen so that every distance occurs, borders and corners included."""

from __future__ import annotations

import numpy as np

from codesign.graph.ir import Conv
from codesign.lower.calibrate import Calibrator, requant_from_affine

_CANDIDATES = 768
_FITS = 384
_FIT_PIXELS = 160
_PIXELS_MIN = 64  # of a map that can be expected to show every distance


def add_offset_conv(cal: Calibrator, name: str, source: str, *, bits: int, form: str, bound: int) -> str:
    """Append a 1x1 offset convolution (1 channel, or 18 for ``form`` "pairs") to ``cal``; returns its output.

    Many random channels are tried at once; those whose values cover the whole range on the picture's border and at
    its corners are kept.
    """
    codes, bits = cal.values[source], cal.bits(name, bits)
    low = 0 if form == "square" else -bound
    weights = cal.random_weight((_CANDIDATES, codes.shape[0], 1, 1), bits)
    wanted = np.arange(low, bound + 1)
    unseen = [int(v) for v in wanted if v not in cal.corners]
    pixels, targets = _fit_some(weights, codes, cal.rng, 2 ** (bits - 1) - 1, wanted, unseen)
    acc = weights.reshape(_CANDIDATES, -1).astype(np.float32) @ codes.reshape(codes.shape[0], -1).astype(np.float32)
    acc = acc.astype(np.float64)
    spread = np.maximum(acc.std(axis=1), 1.0)
    gain = cal.rng.uniform(0.26, 0.42, _CANDIDATES) * (bound - low) / spread
    centre = (low + bound) / 2 + cal.rng.uniform(-0.5, 0.5, _CANDIDATES)
    offset = centre - gain * acc.mean(axis=1)
    fits = acc[:_FITS, pixels]
    gain[:_FITS] = targets.std(axis=1) / np.maximum(fits.std(axis=1), 1.0)
    offset[:_FITS] = targets.mean(axis=1) - gain[:_FITS] * fits.mean(axis=1)
    values = np.clip(np.rint(acc * gain[:, None] + offset[:, None]), low, bound).astype(np.int64)
    grid = values.reshape(_CANDIDATES, *codes.shape[1:])
    keep = _best(grid, range(low, bound + 1), cal.corners, 1 if form == "square" else 18)
    if codes[0].size >= _PIXELS_MIN:
        cal.corners.update(int(v) for v in corner_values(grid[keep]))
    weight = np.ascontiguousarray(weights[keep])
    requant = requant_from_affine(name, weight, gain[keep], offset[keep], 0, low, bound)
    return cal.append(Conv(name, (source,), name, weight, bits, requant), 1.0, 0)


def _fit_some(
    weights: np.ndarray, codes: np.ndarray, rng: np.random.Generator, top: int, wanted: np.ndarray, unseen: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Replace the first candidates by ridge fits to random distances on the border; corners ask for ``unseen`` ones.

    On small maps chance rarely gives every distance; a fit nearly does. The second half of the fits asks for one
    value per 2x2 block, all that a map that was just upsampled can give. Returns the pixels (P,), as indices into
    the flattened map, and the distances asked for (fits, P).
    """
    height, width = codes.shape[1:]
    targets = rng.choice(wanted, (_FITS, height, width)).astype(np.float64)
    targets[_FITS // 2 :] = targets[_FITS // 2 :, np.arange(height) // 2][:, :, np.arange(width) // 2]
    corners = np.array([[0, 0], [0, width - 1], [height - 1, 0], [height - 1, width - 1]])
    for fit in range(_FITS):
        values = [*rng.permutation(unseen), *rng.permutation(wanted)][:4]
        for (y, x), value in zip(corners, values, strict=False):
            targets[fit, y, x] = value
            if fit >= _FITS // 2:
                y, x = y // 2 * 2, x // 2 * 2
                targets[fit, y : y + 2, x : x + 2] = value
    edge = np.ones((height, width), dtype=bool)
    edge[1:-1, 1:-1] = False
    some = rng.permutation(np.flatnonzero(edge))[:_FIT_PIXELS]
    pixels = np.unique(np.concatenate([some, corners[:, 0] * width + corners[:, 1]]))
    chosen = targets.reshape(_FITS, -1)[:, pixels]
    features = codes.reshape(codes.shape[0], -1)[:, pixels].astype(np.float64)
    features -= features.mean(axis=1, keepdims=True)
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += 1e-3 * np.trace(gram) / pixels.size + 1.0
    fitted = np.linalg.solve(gram, (chosen - chosen.mean(axis=1, keepdims=True)).T).T @ features.T
    # Three standard deviations fill the weights' range; the few beyond are clipped.
    fitted *= top / np.maximum(3.0 * fitted.std(axis=1, keepdims=True), 1e-12)
    rounded = np.clip(np.rint(fitted), -top, top).astype(np.int8)
    rounded[~rounded.any(axis=1), 0] = 1
    weights[:_FITS] = rounded.reshape(_FITS, -1, 1, 1)
    return pixels, chosen


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
