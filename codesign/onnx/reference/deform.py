# SPDX-License-Identifier: Apache-2.0
"""DeformConv (opset 19 and later) in floating point: bilinear taps at data-dependent places."""

from __future__ import annotations

import itertools

import numpy as np

from codesign.onnx.reference.convolution import add_bias
from codesign.onnx.reference.windows import windows


def deform_conv(inputs: list, attributes: dict) -> list[np.ndarray]:
    """inputs: data (N, C, H, W), weights (M, C / group, kh, kw), offsets (N, 2 · offset_group · kh · kw, oh, ow) as dy, dx of
    each tap, and optional bias (M,) and mask (N, offset_group · kh · kw, oh, ow). A tap outside the image reads 0."""
    data, weight, offsets, bias, mask = [*inputs, None, None][:5]
    group, parts = attributes.get("group", 1), attributes.get("offset_group", 1)
    layout = windows(data.shape[2:], weight.shape[2:], attributes)
    count, channels = data.shape[:2]
    outputs = weight.shape[0]
    total = np.zeros((count, outputs, *layout.counts), np.result_type(data, weight))
    taps = weight.shape[2] * weight.shape[3]
    shifts = offsets.reshape(count, parts, taps, 2, *layout.counts)
    for tap, (i, j) in enumerate(itertools.product(*map(range, layout.kernel))):
        read = np.empty((count, channels, *layout.counts), data.dtype)
        for n, part in itertools.product(range(count), range(parts)):
            y, x = _grid(layout, (i, j))
            own = slice(part * channels // parts, (part + 1) * channels // parts)
            read[n, own] = bilinear(data[n, own], y + shifts[n, part, tap, 0], x + shifts[n, part, tap, 1])
            if mask is not None:
                read[n, own] *= mask.reshape(count, parts, taps, *layout.counts)[n, part, tap]
        _accumulate(total, read, weight[:, :, i, j], group)
    return [add_bias(total, bias)]


def _grid(layout, tap: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Undeformed (y, x) of a tap for every output, float64 (oh, ow) each."""
    rows, cols = np.mgrid[: layout.counts[0], : layout.counts[1]].astype(np.float64)
    y = rows * layout.strides[0] - layout.begin[0] + tap[0] * layout.dilations[0]
    return y, cols * layout.strides[1] - layout.begin[1] + tap[1] * layout.dilations[1]


def _accumulate(total: np.ndarray, read: np.ndarray, rows: np.ndarray, group: int) -> None:
    outputs, inputs = total.shape[1] // group, read.shape[1] // group
    for g in range(group):
        out, used = slice(g * outputs, (g + 1) * outputs), slice(g * inputs, (g + 1) * inputs)
        total[:, out] += np.einsum("oc,ncyx->noyx", rows[out], read[:, used])


def bilinear(data: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``data`` (C, H, W) at real positions (oh, ow), neighbours outside the image being 0: (C, oh, ow)."""
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    result = np.zeros((data.shape[0], *y.shape), data.dtype)
    for down, right in itertools.product((0, 1), (0, 1)):
        row, col = top + down, left + right
        share = (1 - np.abs(y - row)) * (1 - np.abs(x - col))
        inside = (row >= 0) & (row < data.shape[1]) & (col >= 0) & (col < data.shape[2])
        values = data[:, np.clip(row, 0, data.shape[1] - 1), np.clip(col, 0, data.shape[2] - 1)]
        result += (values * (share * inside)).astype(data.dtype)
    return result
