# SPDX-License-Identifier: Apache-2.0
"""Rectangles for the benches of load and store, and what they have to do."""

from __future__ import annotations

import random
from dataclasses import dataclass

from codesign.program.isa import Opcode, encode
from hw.axi import BOUNDARY

WIDTHS = (1, 2, 3, 4, 5, 7, 9, 14, 17, 30)  #: words of a row


@dataclass(frozen=True)
class Transfer:
    """One load or store; ``dram`` (relative to BASE) and ``dram_stride`` in bytes, the rest in words."""

    index: int
    dram: int
    dram_stride: int
    spad: int
    spad_stride: int
    rows: int
    words: int
    lane_mask: int = (1 << 32) - 1

    def encode(self, opcode: Opcode) -> int:
        """The instruction as the engine gets it."""
        names = dict(dram_addr=self.dram, dram_stride=self.dram_stride, spad_addr=self.spad)
        names |= dict(spad_stride=self.spad_stride, rows=self.rows, row_words=self.words, index=self.index)
        names |= dict(lane_mask=self.lane_mask)
        return int.from_bytes(encode(opcode, names), "little")

    def moves(self, size: int) -> list[tuple[int, int]]:
        """DRAM byte and scratchpad word of every word of ``size`` bytes, in order."""
        return [
            (self.dram + row * self.dram_stride + word * size, self.spad + row * self.spad_stride + word)
            for row in range(self.rows)
            for word in range(self.words)
        ]

    def bursts(self, base: int, size: int) -> list[tuple[int, int]]:
        """Address and bytes of the fewest bursts that may carry it."""
        found = []
        for row in range(self.rows):
            at = base + self.dram + row * self.dram_stride
            end = at + self.words * size
            while at < end:
                following = min(end, (at // BOUNDARY + 1) * BOUNDARY)
                found.append((at, following - at))
                at = following
        return found


def random_transfers(rng: random.Random, count: int, spad_words: int, size: int) -> list[Transfer]:
    """Rectangles anywhere in the scratchpad, in DRAM one behind the other; indices are random, and for some so are
    the lanes."""
    found, at, mask = [], 0, (1 << 32) - 1
    for index in rng.sample(range(1 << 16), count):
        rows, words = rng.randint(1, 5), rng.choice(WIDTHS)
        stride, apart = words + rng.choice((0, 0, 1, 6)), words + rng.choice((0, 0, 1, 3, 10))
        spad = rng.randrange(spad_words - (rows - 1) * stride - words + 1)
        at += rng.randrange(6) * size
        mask = rng.choice((mask, (1 << 32) - 1, rng.getrandbits(32), 0xFFFF0000))
        found.append(Transfer(index, at, apart * size, spad, stride, rows, words, mask))
        at += rows * apart * size
    return found


def whole_rows(count: int, size: int) -> list[Transfer]:
    """Rectangles of four rows of 16 words without gaps between them, aligned to bursts."""
    return [Transfer(i, i * 64 * size, 16 * size, 64 * (i % 4), 16, 4, 16) for i in range(count)]
