# SPDX-License-Identifier: Apache-2.0
"""CenterNet decoding of the three head maps into boxes. NumPy only: the board's driver uses it too.

Codes order exactly as their reals do, so peaks and order of int8 codes are found on the codes, and only the winners
become reals, by the arithmetic float maps go through: boxes from codes equal boxes from dequantised floats digit for
digit. A peak is strictly greater than its raster-earlier neighbours in the 3x3 window and at least as great as its
later ones, so of equal neighbours the first wins. Equal scores: lower class, then lower raster index. No NMS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

STRIDE = 4
TOP = 100
CODES = 256
_FEW = 4  #: positions looked at first, for each box wanted; and by how much more when they were too few
_SAMPLED = 13  #: every thirteenth code is looked at to choose a threshold; prime, so that no column is left out
_EARLIER = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
_LATER = ((0, 1), (1, -1), (1, 0), (1, 1))
_NEIGHBOURS = _EARLIER + _LATER

CodeAt = Callable[[str, int, np.ndarray], np.ndarray]  #: role, channel, cells (y * w + x) -> int8 codes


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
    return decode_at(codes["hm"], lambda role, channel, cell: codes[role][channel].reshape(-1)[cell], quantisers, top)


def decode_at(hm: np.ndarray, code_at: CodeAt, quantisers: dict[str, tuple[float, int]], top: int = TOP) -> Detections:
    """As `decode_codes`, but only the winners' codes of wh and reg are asked for: ``code_at(role, channel, cells)``."""
    _, h, w = hm.shape
    index = best_peaks(hm, top)
    cell = index % (h * w)
    logits = dequantise(hm.reshape(-1)[index], *quantisers["hm"])
    sizes, shifts = (
        [dequantise(code_at(role, channel, cell), *quantisers[role]) for channel in (0, 1)] for role in ("wh", "reg")
    )
    return _detections(index, logits, sizes, shifts, h, w)


def best_peaks(hm: np.ndarray, top: int = TOP) -> np.ndarray:
    """Flat places of the ``top`` best peaks of int8 codes [classes, h, w], in order.

    A sample of the codes says down to which code to look for enough positions; their neighbours alone are compared. If
    fewer than ``top`` of them are peaks, a lower code is tried: the answer does not depend on the sample. TypeError unless int8.
    """
    if hm.dtype != np.int8:
        raise TypeError(f"head codes are {hm.dtype}; they must be int8")
    _, h, w = hm.shape
    flat = hm.reshape(-1)
    wanted, found, least = _FEW * top, np.zeros(0, np.intp), CODES
    sample = np.sort(flat[::_SAMPLED])[::-1].astype(np.int16)
    while found.size < top and least > -CODES // 2:
        place = wanted // _SAMPLED
        lower = int(sample[place]) if place < sample.size else -CODES // 2
        least = min(lower, least - 1)
        found = _peaks_among(flat, np.flatnonzero(flat >= np.int8(least)), h, w)
        wanted *= _FEW
    order = np.argsort(-flat[found].astype(np.int16), kind="stable")  # stable: lower class, then lower raster index
    return found[order[:top]]


def _peaks_among(flat: np.ndarray, places: np.ndarray, h: int, w: int) -> np.ndarray:
    """Those of the flat ``places`` that no neighbour inside the image beats; all eight are looked at at once."""
    row, x = np.divmod(places, w)
    y = row % h
    down, right = (np.array([pair[axis] for pair in _NEIGHBOURS])[:, None] for axis in (0, 1))
    there = flat.take(places + (down * w + right), mode="clip").astype(np.int16)
    there[: len(_EARLIER)] += 1  # an equal one that comes earlier wins
    for edge, beyond in ((y == 0, down < 0), (y == h - 1, down > 0), (x == 0, right < 0), (x == w - 1, right > 0)):
        there[beyond & edge] = -CODES
    return places[there.max(axis=0) <= flat[places]]
