# SPDX-License-Identifier: Apache-2.0
"""Tokens: what each instruction must wait for, derived from the addresses it touches, never written by hand.

For every engine and every scratchpad or DRAM word the tracker keeps the number of the engine's last instruction that read
or wrote it. A reader waits for the last writers of its words; a writer also for their last readers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.program.isa import TOKEN_BITS

_HORIZON = 1 << (TOKEN_BITS - 2)


@dataclass(frozen=True)
class Access:
    """Words [start, stop) of "spad" or "dram" (in scratchpad words, in DRAM words of the same size)."""

    space: str
    start: int
    stop: int
    write: bool


class _Space:
    def __init__(self, engines: int, words: int):
        self.wrote = np.zeros((engines, words), np.int32)
        self.read = np.zeros((engines, words), np.int32)

    def grow(self, words: int) -> None:
        if words > self.wrote.shape[1]:
            extra = ((0, 0), (0, max(words, 2 * self.wrote.shape[1]) - self.wrote.shape[1]))
            self.wrote, self.read = np.pad(self.wrote, extra), np.pad(self.read, extra)


class TokenTracker:
    """Counts instructions per engine and answers each new one with its waits."""

    def __init__(self, engines: int, spad_words: int):
        self._issued = [0] * engines
        self._spaces = {"spad": _Space(engines, spad_words), "dram": _Space(engines, 1024)}

    def waits(self, engine: int, accesses: list[Access]) -> list[int]:
        """Tokens of every engine that must have been issued before this instruction starts; records the instruction."""
        needs = np.zeros(len(self._issued), np.int64)
        for a in accesses:
            space = self._spaces[a.space]
            space.grow(a.stop)
            needs = np.maximum(needs, space.wrote[:, a.start : a.stop].max(axis=1))
            if a.write:
                needs = np.maximum(needs, space.read[:, a.start : a.stop].max(axis=1))
        # Engines work in order and write in order: a write after own writes needs no wait, a read after own writes does.
        needs[engine] = self._own_reads(engine, accesses)
        # Far older tokens cannot be told from newer ones modulo 2**16; waiting for a younger instruction is always safe.
        needs = np.maximum(needs, np.array(self._issued) - _HORIZON)
        self._issued[engine] += 1
        for a in accesses:
            table = self._spaces[a.space].wrote if a.write else self._spaces[a.space].read
            table[engine, a.start : a.stop] = self._issued[engine]
        return [int(n) % (1 << TOKEN_BITS) for n in needs]

    def _own_reads(self, engine: int, accesses: list[Access]) -> int:
        needs = 0
        for a in accesses:
            if not a.write:
                needs = max(needs, int(self._spaces[a.space].wrote[engine, a.start : a.stop].max()))
        return needs
