# SPDX-License-Identifier: Apache-2.0
"""Resize, nearest neighbour: which input index each output index reads, for every coordinate and rounding mode."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

_ROUNDING: dict[str, Callable[[float], float]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
}

_LONGEST = 1 << 20


def resize(inputs: list, attributes: dict) -> list[np.ndarray]:
    """Nearest-neighbour resizing of any axes. inputs: data, unused roi, scales or None, sizes or None."""
    result = inputs[0]
    for axis, source in enumerate(index_maps(result.shape, inputs, attributes)):
        result = np.take(result, source, axis=axis)
    return [result]


def index_maps(shape: tuple[int, ...], inputs: list, attributes: dict) -> list[list[int]]:
    """Per axis of an input of ``shape``, the input index that each output index reads. Raises ValueError for modes other
    than nearest, for regions of interest, and for outputs of absurd size."""
    if attributes.get("mode", "nearest") != "nearest":
        raise ValueError(f"mode {attributes['mode']!r} is not nearest")
    how = attributes.get("coordinate_transformation_mode", "half_pixel")
    if how not in _COORDINATES:
        raise ValueError(f"coordinate_transformation_mode {how!r}")
    rounding = _ROUNDING[attributes.get("nearest_mode", "round_prefer_floor")]
    maps = []
    for size, (scale, length) in zip(shape, _scales(shape, inputs, attributes)):
        if length > _LONGEST:
            raise ValueError(f"an output side of {length}")
        places = (_COORDINATES[how](i, scale, size, length) for i in range(length))
        maps.append([min(max(int(rounding(place)), 0), size - 1) for place in places])
    return maps


def _scales(shape: tuple[int, ...], inputs: list, attributes: dict) -> list[tuple[float, int]]:
    """Per axis: (scale, output size)."""
    scales, sizes = [*inputs[2:], None, None][:2]
    axes = [int(axis) % len(shape) for axis in attributes.get("axes", range(len(shape)))]
    found = [(1.0, size) for size in shape]
    if sizes is not None and np.size(sizes):
        ratios = [float(n) / shape[axis] for axis, n in zip(axes, sizes)]
        policy = attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            ratio = min(ratios) if policy == "not_larger" else max(ratios)
            return _replaced(found, {a: (ratio, math.floor(ratio * shape[a] + 0.5)) for a in axes})
        return _replaced(found, {a: (r, int(n)) for a, r, n in zip(axes, ratios, sizes)})
    given = {a: (float(s), math.floor(shape[a] * float(s))) for a, s in zip(axes, scales)}
    return _replaced(found, given)


def _replaced(found: list[tuple[float, int]], given: dict[int, tuple[float, int]]) -> list[tuple[float, int]]:
    return [given.get(axis, pair) for axis, pair in enumerate(found)]


def _half_pixel_symmetric(i: int, scale: float, size: int, length: int) -> float:
    adjustment = length / (scale * size)
    return size / 2 * (1 - adjustment) + (i + 0.5) / scale - 0.5


#: (output index, scale, input size, output size) -> place in the input
_COORDINATES: dict[str, Callable[[int, float, int, int], float]] = {
    "half_pixel": lambda i, scale, size, length: (i + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda i, scale, size, length: (i + 0.5) / scale - 0.5 if length > 1 else 0.0,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "asymmetric": lambda i, scale, size, length: i / scale,
    "align_corners": lambda i, scale, size, length: i * (size - 1) / (length - 1) if length > 1 else 0.0,
}
