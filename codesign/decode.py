# SPDX-License-Identifier: Apache-2.0
"""CenterNet decoding of the three head maps into boxes. NumPy only: the board's driver uses it too.

Float maps and int8 codes go through the same arithmetic on the code grid's reals, and codes order exactly as their
reals do, so boxes from codes equal boxes from dequantised floats digit for digit. A peak is strictly greater than its
raster-earlier neighbours in the 3x3 window and at least as great as its later ones, so of equal neighbours the first
wins. Equal scores: lower class, then lower raster index. No NMS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRIDE = 4
TOP = 100
_EARLIER = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
_LATER = ((0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Detections:
    """Best first. boxes float64 [n, 4] (xmin, ymin, xmax, ymax) in input pixels, scores [n], labels int64 [n]."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def above(self, threshold: float) -> Detections:
        """Those with at least this score."""
        keep = self.scores >= threshold
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])


def dequantise(codes: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """float64 reals of integer codes."""
    return (codes.astype(np.int64) - int(zero_point)) * float(scale)


def peaks(heatmap: np.ndarray) -> np.ndarray:
    """bool [classes, h, w]: local maxima under the contract's rule; positions outside do not compete."""
    _, h, w = heatmap.shape
    values = heatmap.astype(np.float64)
    pad = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)

    def neighbour(dy: int, dx: int) -> np.ndarray:
        return pad[:, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]

    keep = np.ones(heatmap.shape, bool)
    for dy, dx in _EARLIER:
        keep &= values > neighbour(dy, dx)
    for dy, dx in _LATER:
        keep &= values >= neighbour(dy, dx)
    return keep


def decode(hm: np.ndarray, wh: np.ndarray, reg: np.ndarray, top: int = TOP) -> Detections:
    """Boxes of one frame from reals: hm logits [classes, h, w], wh and reg [2, h, w] in cells of 4 pixels."""
    _, h, w = hm.shape
    logits = np.asarray(hm, np.float64)
    order = np.flatnonzero(peaks(logits))
    flat = logits.reshape(-1)[order]
    best = np.argsort(-flat, kind="stable")[:top]  # stable: lower class, then lower raster index
    index = order[best]
    cell = index % (h * w)
    width, height = (np.asarray(wh[k], np.float64).reshape(-1)[cell] for k in (0, 1))
    x = cell % w + np.asarray(reg[0], np.float64).reshape(-1)[cell]
    y = cell // w + np.asarray(reg[1], np.float64).reshape(-1)[cell]
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1) * STRIDE
    return Detections(boxes, 1 / (1 + np.exp(-flat[best])), (index // (h * w)).astype(np.int64))


def decode_codes(
    codes: dict[str, np.ndarray], quantisers: dict[str, tuple[float, int]], top: int = TOP
) -> Detections:
    """Boxes of one frame from int8 head codes; quantisers gives (scale, zero point) for hm, wh and reg."""
    real = {name: dequantise(codes[name], *quantisers[name]) for name in ("hm", "wh", "reg")}
    return decode(real["hm"], real["wh"], real["reg"], top)
