# SPDX-License-Identifier: Apache-2.0
"""Where the windows of convolutions and pools lie: pads from attributes, and one strided view per tap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Per spatial axis: ``kernel``, ``strides``, ``dilations``, ``begin`` and ``end`` pads, ``counts`` of windows."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    counts: tuple[int, ...]

    def padded(self, data: np.ndarray, value: float) -> np.ndarray:
        """``data`` (N, C, ...) with ``value`` around it, and beyond where a last window reaches further (ceil_mode)."""
        needed = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(self.counts, self.strides, self.kernel, self.dilations)]
        sides = [(0, 0), (0, 0)]
        for size, want, first, last in zip(data.shape[2:], needed, self.begin, self.end):
            sides.append((first, max(last, want - size - first)))
        return np.pad(data, sides, constant_values=value)

    def taps(self, padded: np.ndarray) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """(position in the kernel, view (N, C, *counts) of ``padded``) of every tap, in raster order."""
        for tap in itertools.product(*map(range, self.kernel)):
            cuts = [
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(tap, self.dilations, self.counts, self.strides)
            ]
            yield tap, padded[(slice(None), slice(None), *cuts)]


def windows(sizes: tuple[int, ...], kernel: tuple[int, ...], attributes: dict) -> Windows:
    """The windows of ``kernel`` over an input of spatial ``sizes``, by pads, auto_pad, strides, dilations, ceil_mode."""
    ones = [1] * len(kernel)
    strides = tuple(attributes.get("strides", ones))
    dilations = tuple(attributes.get("dilations", ones))
    begin, end = pads(sizes, kernel, attributes)
    counts = []
    for size, k, s, d, first, last in zip(sizes, kernel, strides, dilations, begin, end):
        room = size + first + last - (k - 1) * d - 1
        count = (-(-room // s) if attributes.get("ceil_mode", 0) else room // s) + 1
        if attributes.get("ceil_mode", 0) and (count - 1) * s >= size + first:
            count -= 1  # the last window must begin inside the image or its left pad
        counts.append(count)
    return Windows(tuple(kernel), strides, dilations, begin, end, tuple(counts))


def pads(sizes: tuple[int, ...], kernel: tuple[int, ...], attributes: dict) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(begin, end) pads per spatial axis, with auto_pad worked out."""
    rank, auto = len(kernel), attributes.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        given = list(attributes.get("pads", [0] * 2 * rank))
        return tuple(given[:rank]), tuple(given[rank:])
    if auto == "VALID":
        return (0,) * rank, (0,) * rank
    begin, end = [], []
    strides, dilations = attributes.get("strides", [1] * rank), attributes.get("dilations", [1] * rank)
    for size, k, s, d in zip(sizes, kernel, strides, dilations):
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        less, more = total // 2, total - total // 2
        begin.append(less if auto == "SAME_UPPER" else more)
        end.append(more if auto == "SAME_UPPER" else less)
    return tuple(begin), tuple(end)
