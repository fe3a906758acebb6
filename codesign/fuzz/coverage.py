# SPDX-License-Identifier: Apache-2.0
"""What a campaign has reached: values of instruction fields, boundary conditions, stall causes, operators.

Results are kept case by case as what was new in them, so that a journal stays small and adds up to the whole again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from codesign.program import isa
from codesign.program.program import Program

Range = tuple[int, int, int, int]  #: least, greatest, bits that were 1, bits that were 0
_FREE = {"opcode", "index"}  #: the first is the table's row, the second the dispatcher's


@dataclass(frozen=True)
class Seen:
    """One case: ranges by field, names of boundary conditions, of stall causes and of operators."""

    fields: dict[str, Range] = field(default_factory=dict)
    boundaries: frozenset[str] = frozenset()
    stalls: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()


def fields_of(program: Program) -> dict[str, Range]:
    """Range of every field, under "OPCODE.field", over a program."""
    found = {}
    for opcode in isa.Opcode:
        rows = [i.values for i in program.instructions if i.opcode == opcode]
        if not rows:
            continue
        for name, width in isa.fields(opcode):
            if name in _FREE:
                continue
            values = np.fromiter((row.get(name, 0) for row in rows), np.int64, len(rows))
            full = (1 << abs(width)) - 1
            ones, zeros = int(np.bitwise_or.reduce(values & full)), int(np.bitwise_or.reduce(~values & full))
            found[f"{opcode.name}.{name}"] = (int(values.min()), int(values.max()), ones, zeros)
    return found


@dataclass
class Coverage:
    """The sum over many cases. Counters count cases."""

    fields: dict[str, Range] = field(default_factory=dict)
    boundaries: Counter[str] = field(default_factory=Counter)
    stalls: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)

    def new(self, seen: Seen) -> dict[str, Any]:
        """What a case adds, JSON-able, for `merge`."""
        new = {}
        for name, row in seen.fields.items():
            have = self.fields.get(name)
            both = row if have is None else _joined(have, row)
            if both != have:
                new[name] = list(both)
        return {"fields": new, **{key: sorted(getattr(seen, key)) for key in ("boundaries", "stalls", "operators")}}

    def merge(self, kept: dict[str, Any]) -> None:
        """Add what `new` gave."""
        for name, row in kept["fields"].items():
            least, greatest, ones, zeros = (int(v) for v in row)
            have = self.fields.get(name)
            self.fields[name] = _joined(have, (least, greatest, ones, zeros)) if have else (least, greatest, ones, zeros)
        for key in ("boundaries", "stalls", "operators"):
            getattr(self, key).update(kept[key])


def _joined(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1]), a[2] | b[2], a[3] | b[3]
