# SPDX-License-Identifier: Apache-2.0
"""Estimates for every design from a few that were planned in full: a Gaussian process over what `bound` leaves out.

It interpolates the logarithm of (planned / bound). Leaving out each planned design in turn, which has a closed form, gives the
error that is stated with the estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.sweep.space import Design

_LENGTHS = (1.0, 2.0, 4.0)  #: of the kernel, in doublings of a setting; the one with the least error is taken
_NOISE = 1e-4
_FEATURES = ("lanes", "array_out", "depthwise_units", "acc_depth", "spad_words", "spad_banks", "depthwise_requant", "queue_depth",
             "pointwise_param_beats", "depthwise_param_beats", "memory_ports")  # fmt: skip


def features(designs: list[Design]) -> np.ndarray:
    """(designs, settings): doublings of every setting that shapes the time of a frame."""
    rows = []
    for design in designs:
        dram = design.board.dram
        rows.append([*(getattr(design.board.accelerator, name) for name in _FEATURES), dram.latency_cycles, dram.bytes_per_cycle])
    return np.log2(np.array(rows, float))


@dataclass(frozen=True)
class Screen:
    """Estimates by `estimate`; ``error``: the root mean square of log(estimate / planned), left out one by one."""

    places: np.ndarray
    length: float
    trend: np.ndarray
    weights: np.ndarray
    inverse: np.ndarray
    error: float
    scale: float

    def estimate(self, places: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(estimates, their standard deviation in log) of designs at these features with these bounds."""
        kernel = _kernel(places, self.places, self.length)
        mean = _basis(places) @ self.trend + kernel @ self.weights
        left = 1 + _NOISE - np.einsum("ij,jk,ik->i", kernel, self.inverse, kernel)
        return bounds * np.exp(mean), self.scale * np.sqrt(np.maximum(left, _NOISE))


def fit(places: np.ndarray, bounds: np.ndarray, planned: np.ndarray) -> Screen:
    """From planned designs: their features, bounds and planned values."""
    wanted = np.log(planned / bounds)
    return min((_fit(places, wanted, length) for length in _LENGTHS), key=lambda screen: screen.error)


def _fit(places: np.ndarray, wanted: np.ndarray, length: float) -> Screen:
    basis = _basis(places)
    inverse = np.linalg.inv(_kernel(places, places, length) + _NOISE * np.eye(len(places)))
    normal = basis.T @ inverse @ basis + 1e-3 * np.eye(basis.shape[1])
    trend = np.linalg.solve(normal, basis.T @ inverse @ wanted)
    weights = inverse @ (wanted - basis @ trend)
    left_out = weights / np.diag(inverse)
    error = float(np.sqrt(np.mean(left_out**2)))
    scale = float(np.sqrt(max(1e-12, np.mean(left_out**2 * np.diag(inverse)))))
    return Screen(places, length, trend, weights, inverse, error, scale)


def spread(places: np.ndarray, count: int) -> list[int]:
    """``count`` designs that lie far from each other, the first in the middle: where to plan before anything is known."""
    span = places.max(axis=0) - places.min(axis=0)
    unit = (places - places.min(axis=0)) / np.where(span > 0, span, 1)
    chosen = [int(np.argmin(((unit - 0.5) ** 2).sum(axis=1)))]
    far = ((unit - unit[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(places)):
        chosen.append(int(np.argmax(far)))
        far = np.minimum(far, ((unit - unit[chosen[-1]]) ** 2).sum(axis=1))
        far[chosen] = -1
    return chosen


def _kernel(a: np.ndarray, b: np.ndarray, length: float) -> np.ndarray:
    apart = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.exp(-np.maximum(apart, 0) / (2 * length**2))


def _basis(places: np.ndarray) -> np.ndarray:
    """A constant and a slope for every setting, about the middle of the settings' ranges."""
    return np.hstack([np.ones((len(places), 1)), places - 8.0])
