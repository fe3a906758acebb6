# SPDX-License-Identifier: Apache-2.0
"""Exact sums of products: the accumulators of convolutions and pools, before requantisation.

Every function returns integers held in a float array. float32 is exact while each partial sum stays within 2**24,
which sum(|w|) * 128 bounds whatever the order of BLAS; float64 does the same up to 2**53.
"""

from __future__ import annotations

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Conv, DeformConv

_FLOAT32_EXACT = 2**24
_BLOCK = 1 << 16  # values per block of channels, so that a depthwise sum stays in the level-2 cache


def exact_dtype(weight: np.ndarray) -> type[np.floating]:
    """float32 where every partial sum of int8 codes with ``weight`` (Cout, ...) is exact in it, else float64."""
    flat = np.abs(weight.reshape(weight.shape[0], -1).astype(np.int64))
    return np.float32 if int(flat.sum(axis=1).max(initial=0)) * 128 <= _FLOAT32_EXACT else np.float64


def conv_sum(node: Conv, data: np.ndarray, zero_point: int) -> np.ndarray:
    """Accumulators (Cout, Ho, Wo) of codes ``data`` (Cin, H, W); padding reads the code ``zero_point``."""
    cout, per_group, kh, kw = node.weight.shape
    dtype = exact_dtype(node.weight)
    if node.groups == 1 and (kh, kw, node.stride, node.pad) == (1, 1, 1, 0):
        flat = data.reshape(per_group, -1).astype(dtype)
        return (node.weight.reshape(cout, per_group).astype(dtype) @ flat).reshape(cout, *data.shape[1:])
    padded = _pad(data, node.pad, node.pad, zero_point)
    rows = (padded.shape[1] - kh) // node.stride + 1
    cols = (padded.shape[2] - kw) // node.stride + 1
    if node.groups == 1:
        return _full_sum(node, padded, rows, cols, dtype)
    return _depthwise_sum(node, padded, rows, cols, dtype)


def _pad(data: np.ndarray, rows: int, cols: int, code: int) -> np.ndarray:
    if rows == cols == 0:
        return data
    c, h, w = data.shape
    out = np.full((c, h + 2 * rows, w + 2 * cols), code, dtype=np.int8)
    out[:, rows : rows + h, cols : cols + w] = data
    return out


def _taps(padded: np.ndarray, kh: int, kw: int, stride: int, rows: int, cols: int) -> list[np.ndarray]:
    """Views (C, rows, cols) of ``padded``, one per tap in raster order."""
    span_y, span_x = (rows - 1) * stride + 1, (cols - 1) * stride + 1
    return [
        padded[:, i : i + span_y : stride, j : j + span_x : stride] for i in range(kh) for j in range(kw)
    ]


def _full_sum(node: Conv, padded: np.ndarray, rows: int, cols: int, dtype: type) -> np.ndarray:
    cout, cin, kh, kw = node.weight.shape
    columns = np.empty((cin, kh * kw, rows, cols), dtype=dtype)
    for tap, view in enumerate(_taps(padded, kh, kw, node.stride, rows, cols)):
        columns[:, tap] = view
    matrix = node.weight.reshape(cout, -1).astype(dtype)
    return (matrix @ columns.reshape(cin * kh * kw, -1)).reshape(cout, rows, cols)


def _depthwise_sum(node: Conv, padded: np.ndarray, rows: int, cols: int, dtype: type) -> np.ndarray:
    channels, _, kh, kw = node.weight.shape
    weight = node.weight.reshape(channels, kh * kw, 1, 1).astype(dtype)
    out = np.zeros((channels, rows, cols), dtype=dtype)
    step = max(1, _BLOCK // (rows * cols))
    for first in range(0, channels, step):
        part = slice(first, first + step)
        product = np.empty_like(out[part])
        block = padded[part].astype(dtype)
        for tap, view in enumerate(_taps(block, kh, kw, node.stride, rows, cols)):
            np.multiply(view, weight[part, tap], out=product)
            out[part] += product
    return out


def deform_sum(node: DeformConv, data: np.ndarray, offsets: np.ndarray, zero_point: int) -> np.ndarray:
    """Accumulators (C, H, W); ``offsets`` (1 or 2*kh*kw, H, W). Raises UserError on an offset out of bounds."""
    channels, _, kh, kw = node.weight.shape
    least = 0 if node.form == "square" else -node.bound
    if offsets.size and (int(offsets.min()) < least or int(offsets.max()) > node.bound):
        raise UserError(
            f"layer {node.name!r}: offsets {offsets.min()}..{offsets.max()} leave {least}..{node.bound}; "
            "clamp them in the layer that makes them"
        )
    height, width = data.shape[1:]
    # The farthest a tap reaches: bound times the half kernel (square), or added to it (pairs).
    square = node.form == "square"
    reach_y = (kh // 2) * max(node.bound, 1) if square else kh // 2 + node.bound
    reach_x = (kw // 2) * max(node.bound, 1) if square else kw // 2 + node.bound
    dtype = exact_dtype(node.weight)
    padded = _pad(data, reach_y, reach_x, zero_point).reshape(channels, -1)
    weight = node.weight.reshape(channels, kh * kw, 1).astype(dtype)
    y, x = np.mgrid[reach_y : reach_y + height, reach_x : reach_x + width]
    out = np.zeros((channels, height * width), dtype=dtype)
    for tap in range(kh * kw):
        dy, dx = tap_shift(node, offsets, tap)
        index = (y + dy) * (width + 2 * reach_x) + x + dx
        out += np.take(padded, index.ravel(), axis=1) * weight[:, tap]
    return out.reshape(channels, height, width)


def tap_shift(node: DeformConv, offsets: np.ndarray, tap: int) -> tuple[np.ndarray, np.ndarray]:
    """(dy, dx), int64 (H, W) each, from the output pixel to where tap ``tap`` (raster order) reads."""
    kh, kw = node.weight.shape[2:]
    i, j = divmod(tap, kw)
    wide = offsets.astype(np.int64)
    if node.form == "square":
        return (i - kh // 2) * wide[0], (j - kw // 2) * wide[0]
    return wide[2 * tap] + i - kh // 2, wide[2 * tap + 1] + j - kw // 2
