# SPDX-License-Identifier: Apache-2.0
"""Rows of one plane in the scratchpad."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.plan.tokens import Access

ADDRESSES = 1 << 16  #: scratchpad addresses are computed modulo this


@dataclass(frozen=True)
class Buffer:
    """Rows [row0, row1) of a plane (stored rows) in the scratchpad from word ``base``; ``width`` words a row.

    With ``ring`` (a power of two) only that many rows exist: row y lies where row y modulo ``ring`` would.
    """

    base: int
    row0: int
    row1: int
    width: int
    ring: int = 0

    @property
    def origin(self) -> int:
        """Word address row 0 would have (modulo the address space)."""
        return (self.base - self.row0 * self.width) % ADDRESSES

    @property
    def ring_bits(self) -> int:
        """The instruction field: log2 of the ring's rows, 0 for none."""
        return self.ring.bit_length() - 1 if self.ring else 0

    def address(self, row: int) -> int:
        """Word address of the first word of ``row``."""
        return self.base + ((row % self.ring) if self.ring else row - self.row0) * self.width

    def pieces(self, first: int, stop: int) -> list[tuple[int, int]]:
        """Rows [first, stop) cut where the ring wraps."""
        if not self.ring:
            return [(first, stop)]
        edges = [first, *range((first // self.ring + 1) * self.ring, stop, self.ring), stop]
        return list(zip(edges[:-1], edges[1:], strict=True))

    def accesses(self, first: int, stop: int, write: bool) -> list[Access]:
        """Rows [first, stop) as scratchpad accesses."""
        assert self.row0 <= first < stop <= self.row1, (self, first, stop)
        assert not self.ring or stop - first <= self.ring, (self, first, stop)
        found = []
        for a, b in self.pieces(first, stop):
            start = self.address(a)
            found.append(Access("spad", start, start + (b - a) * self.width, write))
        return found
