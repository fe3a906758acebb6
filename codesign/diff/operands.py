# SPDX-License-Identifier: Apache-2.0
"""The operands of output values: codes read, weights, and the accumulator they make. Addresses are golden's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.golden.sums import tap_shift
from codesign.graph.ir import Add, Conv, DeformConv, GlobalAveragePool, MaxPool, Node

MISSING = -999  #: in an int16 tensor: a value that was never written


@dataclass(frozen=True, eq=False)
class Operands:
    """K operands of n output values of one channel.

    ``weights`` (K,) int64; ``codes``, ``y``, ``x`` (K, n) and ``inside`` (K, n), False where a tap reads padding;
    ``channel`` (K,) of the input each comes from; ``tap`` (K, 2): kernel row and column; ``source`` (K,): which input.
    """

    weights: np.ndarray
    codes: np.ndarray
    y: np.ndarray
    x: np.ndarray
    inside: np.ndarray
    channel: np.ndarray
    tap: np.ndarray
    source: np.ndarray

    @property
    def sums(self) -> np.ndarray:
        """Accumulators (n,), int64."""
        return self.weights @ self.codes


def operands(
    node: Node, inputs: list[np.ndarray], zero_points: list[int], channel: int, ys: np.ndarray, xs: np.ndarray
) -> Operands | None:
    """Of output ``channel`` at positions ``ys``, ``xs`` (n,); None for an operator that only moves codes."""
    match node:
        case Conv():
            return _conv(node, inputs[0], zero_points[0], channel, ys, xs)
        case DeformConv():
            return _deform(node, inputs, zero_points[0], channel, ys, xs)
        case MaxPool():
            window = np.ones((1, node.kernel, node.kernel), np.int64)
            return _windows(window, inputs[0], 0, np.array([channel]), ys * node.stride - node.pad, xs * node.stride - node.pad)
        case GlobalAveragePool():
            _, height, width = inputs[0].shape
            whole = np.ones((1, height, width), np.int64)
            return _windows(whole, inputs[0], 0, np.array([channel]), ys * 0, xs * 0)
        case Add():
            return _add(node, inputs, channel, ys, xs)
    return None


def _conv(node: Conv, data: np.ndarray, zero: int, channel: int, ys: np.ndarray, xs: np.ndarray) -> Operands:
    weight = node.weight[channel].astype(np.int64)  # (Cin / groups, kh, kw)
    sources = np.arange(weight.shape[0]) if node.groups == 1 else np.array([channel])
    return _windows(weight, data, zero, sources, ys * node.stride - node.pad, xs * node.stride - node.pad)


def _windows(weight: np.ndarray, data: np.ndarray, zero: int, channels: np.ndarray, top: np.ndarray, left: np.ndarray) -> Operands:
    inner, kh, kw = weight.shape
    which, i, j = (a.reshape(-1) for a in np.mgrid[0:inner, 0:kh, 0:kw])
    return _gathered(weight.reshape(-1), data, zero, channels[which], top + i[:, None], left + j[:, None], np.stack([i, j], 1))


def _deform(node: DeformConv, inputs: list[np.ndarray], zero: int, channel: int, ys: np.ndarray, xs: np.ndarray) -> Operands:
    kh, kw = node.weight.shape[2:]
    shifts = [tap_shift(node, inputs[1], tap) for tap in range(kh * kw)]
    y = np.stack([ys + dy[ys, xs] for dy, _ in shifts])
    x = np.stack([xs + dx[ys, xs] for _, dx in shifts])
    taps = np.stack(np.divmod(np.arange(kh * kw), kw), 1)
    weight = node.weight[channel].astype(np.int64).reshape(-1)
    return _gathered(weight, inputs[0], zero, np.full(kh * kw, channel), y, x, taps)


def moved(taken: Operands, data: np.ndarray, zero: int, rows: int, columns: int) -> Operands:
    """The operands had every tap read ``rows`` below and ``columns`` to the right of its place in ``data`` (C, H, W)."""
    return _gathered(taken.weights, data, zero, taken.channel, taken.y + rows, taken.x + columns, taken.tap)


def _gathered(
    weights: np.ndarray, data: np.ndarray, zero: int, channel: np.ndarray, y: np.ndarray, x: np.ndarray, taps: np.ndarray
) -> Operands:
    _, height, width = data.shape
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    codes = data[channel[:, None], y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.int64)
    return Operands(weights, np.where(inside, codes, zero), y, x, inside, channel, taps, np.zeros(len(weights), np.int64))


def _add(node: Add, inputs: list[np.ndarray], channel: int, ys: np.ndarray, xs: np.ndarray) -> Operands:
    codes = np.stack([data[channel, ys, xs].astype(np.int64) for data in inputs])
    places = np.stack([ys, ys]), np.stack([xs, xs])
    weights = np.array([int(m) for m in node.multipliers], np.int64)
    return Operands(weights, codes, *places, np.ones(codes.shape, bool), np.full(2, channel), np.zeros((2, 2), int), np.arange(2))
