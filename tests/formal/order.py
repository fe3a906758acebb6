# SPDX-License-Identifier: Apache-2.0
"""What a program's tokens make certain about which instruction has finished before which begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.program.isa import MAX_ENGINES
from codesign.program.program import Instruction


class Order:
    """``known[i][e]``: how many instructions of engine e have retired, in every execution, when instruction i starts.

    From its own waits, from what was known to those it waits for when they started, and from what was known to the
    instruction before it on its engine, which started earlier. ``number[i]``: its place, from 1, on its engine.
    Programs of fewer than 2^15 instructions, so that a token is a plain number.
    """

    def __init__(self, instructions: Sequence[Instruction]):
        assert len(instructions) < 1 << 15
        self.known = np.zeros((len(instructions), MAX_ENGINES), np.int64)
        self.number: list[int] = []
        on: list[list[int]] = [[] for _ in range(MAX_ENGINES)]
        for i, instruction in enumerate(instructions):
            mine = on[instruction.engine]
            self.number.append(len(mine) + 1)
            waits = [instruction.values.get(f"wait{e}", 0) for e in range(MAX_ENGINES)]
            known = np.array(waits)
            for e, count in enumerate(waits):
                assert count <= len(on[e]), "waits for what comes later"
                if count:
                    known = np.maximum(known, self.known[on[e][count - 1]])
            self.known[i] = np.maximum(known, self.known[mine[-1]]) if mine else known
            mine.append(i)
        self._engine = [instruction.engine for instruction in instructions]

    def finished(self, first: int, then: int) -> bool:
        """Whether instruction ``first`` has retired when ``then`` starts, whatever the engines' speed."""
        return bool(self.known[then][self._engine[first]] >= self.number[first])

    def behind(self, first: int, then: int) -> bool:
        """Whether ``then`` comes behind ``first`` on one engine, which reads and writes in order."""
        return self._engine[first] == self._engine[then] and first < then
