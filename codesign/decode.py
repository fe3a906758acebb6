# SPDX-License-Identifier: Apache-2.0
"""CenterNet decoding of the three head maps into boxes. NumPy only: the board's driver uses it too.

Codes order exactly as their reals do, so peaks and order of int8 codes are found on the codes, and only the winners
become reals, by the arithmetic float maps go through: boxes from codes equal boxes from dequantised floats digit for
digit. A peak is strictly greater than its raster-earlier neighbours in the 3x3 window and at least as great as its
later ones, so of equal neighbours the first wins. Equal scores: lower class, then lower raster index. No NMS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRIDE = 4
TOP = 100
CODES = 256
_FEW = 4  #: positions looked at first, for each box wanted; and by how much more when they were too few
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
    sizes, shifts = ([np.asarray(of[k], np.float64).reshape(-1)[cell] for k in (0, 1)] for of in (wh, reg))
    return _detections(index, flat[best], sizes, shifts, h, w)


def _detections(
    index: np.ndarray, logits: np.ndarray, sizes: list[np.ndarray], shifts: list[np.ndarray], h: int, w: int
) -> Detections:
    """Boxes of the winners: place in the heatmap, logit, (width, height) and (x, y) shift of each."""
    cell = index % (h * w)
    (width, height), (x, y) = sizes, shifts
    x, y = cell % w + x, cell // w + y
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1) * STRIDE
    return Detections(boxes, 1 / (1 + np.exp(-logits)), (index // (h * w)).astype(np.int64))


def decode_codes(
    codes: dict[str, np.ndarray], quantisers: dict[str, tuple[float, int]], top: int = TOP
) -> Detections:
    """Boxes of one frame from int8 head codes; quantisers gives (scale, zero point) for hm, wh and reg."""
    hm = codes["hm"]
    _, h, w = hm.shape
    index = best_peaks(hm, top)
    cell = index % (h * w)
    logits = dequantise(hm.reshape(-1)[index], *quantisers["hm"])
    sizes, shifts = (
        [dequantise(codes[role][k].reshape(-1)[cell], *quantisers[role]) for k in (0, 1)] for role in ("wh", "reg")
    )
    return _detections(index, logits, sizes, shifts, h, w)


def best_peaks(hm: np.ndarray, top: int = TOP) -> np.ndarray:
    """Flat places of the ``top`` best peaks of int8 codes [classes, h, w], in order.

    A histogram of the codes says down to which code to look for enough positions; their neighbours alone are
    compared. Only when too few of them are peaks is the next, larger set tried. TypeError unless int8.
    """
    if hm.dtype != np.int8:
        raise TypeError(f"head codes are {hm.dtype}; they must be int8")
    _, h, w = hm.shape
    flat = hm.reshape(-1)
    wanted, found = _FEW * top, np.zeros(0, np.intp)
    least = CODES
    at_least = np.cumsum(np.bincount(flat.view(np.uint8) ^ 0x80, minlength=CODES)[::-1])[::-1]  # codes + 128
    while found.size < top and least > 0:
        least = max(0, int(np.count_nonzero(at_least >= wanted)) - 1)
        found = _peaks_among(flat, np.flatnonzero(flat >= least - CODES // 2), h, w)
        wanted *= _FEW
    order = np.argsort(-flat[found].astype(np.int16), kind="stable")  # stable: lower class, then lower raster index
    return found[order[:top]]


def _peaks_among(flat: np.ndarray, places: np.ndarray, h: int, w: int) -> np.ndarray:
    """Those of the flat ``places`` that are peaks; each neighbour is asked of those that are left."""
    for rivals, equal_wins in ((_EARLIER, True), (_LATER, False)):
        for dy, dx in rivals:
            y, x = places // w % h + dy, places % w + dx
            inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
            here, there = flat[places], flat[np.where(inside, places + (dy * w + dx), places)]
            beaten = inside & ((there >= here) if equal_wins else (there > here))
            places = places[~beaten]
    return places
