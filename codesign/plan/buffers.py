# SPDX-License-Identifier: Apache-2.0
"""Rows of one plane in the scratchpad."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.plan.tokens import Access

ADDRESSES = 1 << 16  #: scratchpad addresses are computed modulo this


@dataclass(frozen=True)
class Buffer:
    """Rows [row0, row1) of a plane (stored rows) in the scratchpad from word ``base``; ``width`` words a row."""

    base: int
    row0: int
    row1: int
    width: int

    @property
    def origin(self) -> int:
        """Word address row 0 would have (modulo the address space)."""
        return (self.base - self.row0 * self.width) % ADDRESSES

    def access(self, first: int, stop: int, write: bool) -> Access:
        """Rows [first, stop) as a scratchpad access."""
        assert self.row0 <= first < stop <= self.row1, (self, first, stop)
        return Access(
            "spad",
            self.base + (first - self.row0) * self.width,
            self.base + (stop - self.row0) * self.width,
            write,
        )
