# SPDX-License-Identifier: Apache-2.0
"""What the learned distances say about the range N: how many a smaller one keeps, and how many buffer rows it saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.errors import UserError
from codesign.study.table import Row

SOURCE = "rounded7"  # the deployable form with the widest range
WIDEST = 7


@dataclass(frozen=True)
class Range:
    """A range N: the share of distances <= N, and how that leaves the line buffer."""

    bound: int
    kept: float
    rows: int
    saved: int


def buffer_rows(bound: int) -> int:
    """Rows that a line buffer of a square operator holds: r - N to r + N, and the one being written."""
    return 2 * bound + 2


def histogram(rows: Sequence[Row], variant: str, kind: str | None = None, layer: str | None = None) -> np.ndarray:
    """Counts by whole distance over seeds (and kinds, layers where none is named)."""
    total = np.zeros(1, np.int64)
    for row in rows:
        if row["variant"] == variant and kind in (None, row["kind"]):
            for name, counts in row["offsets"].items():
                if layer in (None, name):
                    width = max(len(total), len(counts))
                    total = np.pad(total, (0, width - len(total))) + np.pad(np.array(counts, np.int64), (0, width - len(counts)))
    return total


def layers_of(rows: Sequence[Row], variant: str) -> list[str]:
    """Layers that have offsets in this form."""
    return sorted({name for row in rows if row["variant"] == variant for name in row["offsets"]})


def ranges(counts: np.ndarray) -> list[Range]:
    """Every range up to the widest."""
    total = max(1, int(counts.sum()))
    return [Range(n, float(counts[: n + 1].sum() / total), buffer_rows(n), buffer_rows(WIDEST) - buffer_rows(n))
            for n in range(1, WIDEST + 1)]  # fmt: skip


def recommended(counts: np.ndarray, keep: float = 0.99) -> Range:
    """The smallest range that keeps this share of the distances."""
    if not 0 < keep <= 1:
        raise UserError(f"study: keep is {keep}; it must be a share above 0, at most 1")
    return next(r for r in ranges(counts) if r.kept >= keep or r.bound == WIDEST)


def sentence(found: Range) -> str:
    """For people."""
    if not found.saved:
        return f"N = {found.bound} is needed: smaller ranges keep too few of the distances"
    return f"N = {found.bound} keeps {100 * found.kept:.1f} % of the distances and saves {found.saved} of {buffer_rows(WIDEST)} rows of buffer"


def shares(counts: np.ndarray, last: int = WIDEST) -> list[float]:
    """Shares of distances 0 to last; the last entry holds all beyond, too."""
    total = max(1, int(counts.sum()))
    short = np.append(counts[:last], counts[last:].sum()) if len(counts) > last else np.pad(counts, (0, last + 1 - len(counts)))
    return [float(v) / total for v in short]
