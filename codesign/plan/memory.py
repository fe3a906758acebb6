# SPDX-License-Identifier: Apache-2.0
"""Scratchpad allocation at planning time. Reuse is safe whatever the order: `tokens` derives the waits from addresses."""

from __future__ import annotations

from bisect import insort


class NoRoom(Exception):
    """The scratchpad has no free run of the size asked for."""


class Allocator:
    """Next-fit allocator of word ranges: starts looking after the last allocation, so that buffers of consecutive strips
    lie apart and engines do not wait for each other's memory."""

    def __init__(self, words: int):
        self._words = words
        self._used: list[tuple[int, int]] = []  # sorted (start, stop)
        self._next = 0

    def copy(self) -> Allocator:
        twin = Allocator(self._words)
        twin._used = list(self._used)
        twin._next = self._next
        return twin

    @property
    def free_words(self) -> int:
        return self._words - sum(stop - start for start, stop in self._used)

    def take(self, words: int) -> int:
        """Start of a free run of ``words``; raises `NoRoom`."""
        found = self._first_gap(words, self._next)
        if found is None:
            found = self._first_gap(words, 0)
        if found is None:
            raise NoRoom
        insort(self._used, (found, found + words))
        self._next = found + words
        return found

    def _first_gap(self, words: int, least: int) -> int | None:
        """The lowest address of at least ``least`` where ``words`` are free."""
        at = least
        for start, stop in self._used:
            if start - at >= words:
                return at
            at = max(at, stop)
        return at if self._words - at >= words else None

    def take_many(self, count: int, words: int, low: bool = False) -> list[int]:
        """Starts of ``count`` runs of ``words``, one after the other if a gap allows it; raises `NoRoom`."""
        take = self.take_low if low else self.take
        try:
            start = take(count * words)
        except NoRoom:
            return [take(words) for _ in range(count)]
        starts = [start + i * words for i in range(count)]
        self.give(start)
        self._used = sorted(self._used + [(s, s + words) for s in starts])
        return starts

    def take_low(self, words: int) -> int:
        """As `take`, but the lowest free run: for long-lived maps, so that the rest stays in one piece."""
        self._next, saved = 0, self._next
        try:
            return self.take(words)
        finally:
            self._next = saved

    def give(self, start: int) -> None:
        """Free the range that starts at ``start``."""
        self._used = [r for r in self._used if r[0] != start]
