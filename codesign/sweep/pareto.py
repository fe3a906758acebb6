# SPDX-License-Identifier: Apache-2.0
"""Points that no other beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from codesign.sweep.spec import GREATER


def front(values: np.ndarray) -> np.ndarray:
    """Mask of the rows of ``values`` (points, objectives), less is better, that no other row beats: as good in all and
    better in one. Of equal rows all stay."""
    rows = np.asarray(values, float)
    order = np.lexsort(rows.T[::-1])
    keep, best = np.zeros(len(rows), bool), np.empty((0, rows.shape[1]))
    for index in order:
        row = rows[index]
        if not np.isfinite(row).all():
            continue
        beaten = (best <= row).all(axis=1) & (best < row).any(axis=1)
        if not beaten.any():
            keep[index] = True
            best = np.vstack([best, row])
    return keep


def costs(points: Sequence[Mapping[str, Any]], objectives: Sequence[str]) -> np.ndarray:
    """(points, objectives), less is better; what is not known is infinite."""
    rows = [[_cost(point.get(name), name) for name in objectives] for point in points]
    return np.array(rows, float).reshape(len(points), len(objectives))


def _cost(value: float | None, name: str) -> float:
    if value is None:
        return np.inf
    return -value if name in GREATER else value


def spaced(rows: list[Any], count: int) -> list[Any]:
    """At most ``count`` of them, the first and the last among them, evenly apart."""
    if len(rows) <= count or count < 2:
        return rows[:count]
    return [rows[round(i * (len(rows) - 1) / (count - 1))] for i in range(count)]
