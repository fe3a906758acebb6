# SPDX-License-Identifier: Apache-2.0
"""The results of a campaign, a line a case in one file, which an interrupted campaign goes on with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codesign.bounded import reason
from codesign.errors import UserError
from codesign.fuzz.case import Case
from codesign.fuzz.coverage import Coverage
from codesign.fuzz.trial import EQUAL, REFUSED, Outcome
from codesign.json_lines import JsonLines

SCHEMA = 1
MAX_BYTES = 1 << 30


@dataclass
class Totals:
    """Sums over the cases of a kind."""

    statuses: Counter[str] = field(default_factory=Counter)
    nodes: int = 0
    values: int = 0
    cycles: int = 0
    seconds: float = 0.0
    machines: Counter[int] = field(default_factory=Counter)

    @property
    def compared(self) -> int:
        """Cases that the planner took."""
        return sum(self.statuses.values()) - self.statuses[REFUSED]


class Journal:
    """``path`` need not exist. ``sources`` is a digest of what decides a result: lines of another are not mixed in.

    Raises `UserError` where the file is another campaign's, or none.
    """

    def __init__(self, path: Path, sources: str):
        self._file = JsonLines(path, "name another file with --journal", MAX_BYTES)
        self.totals: dict[str, Totals] = {}
        self.coverage = Coverage()
        self.failures: list[dict[str, Any]] = []
        self.done: set[tuple[str, int]] = set()
        try:
            self._open(sources)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            said = f"a line lacks {error}" if isinstance(error, KeyError) else reason(error, 160)
            raise UserError(f"{path} is no journal of `codesign fuzz`: {said}; name another file with --journal") from error

    @property
    def path(self) -> Path:
        return self._file.path

    def _open(self, sources: str) -> None:
        head, *entries = self._file.read() or [None]
        if head is None:
            self._file.append({"schema": SCHEMA, "sources": sources})
        elif head["schema"] != SCHEMA:
            raise ValueError(f"schema {head['schema']}")
        elif head["sources"] != sources:
            raise UserError(f"{self.path} holds results of other sources than these; name another file with --journal")
        for entry in entries:
            self._take(entry)

    def _take(self, entry: dict[str, Any]) -> None:
        kind, seed = str(entry["kind"]), int(entry["seed"])
        self.done.add((kind, seed))
        totals = self.totals.setdefault(kind, Totals())
        totals.statuses[entry["status"]] += 1
        totals.machines[int(entry["machine"])] += entry["status"] != REFUSED
        for name in ("nodes", "values", "cycles"):
            setattr(totals, name, getattr(totals, name) + int(entry[name]))
        totals.seconds += float(entry["seconds"])
        if entry["status"] == EQUAL:
            self.coverage.merge(entry["seen"])
        elif entry["status"] != REFUSED:
            self.failures.append(entry)

    def add(self, case: Case, machine: int, outcome: Outcome) -> None:
        """Keep a case on machine number ``machine``; it is on disk when this returns."""
        entry: dict[str, Any] = {
            "kind": case.kind, "seed": case.seed, "machine": machine, "status": outcome.status, "nodes": outcome.nodes,
            "values": outcome.values, "cycles": outcome.cycles, "seconds": round(outcome.seconds, 4),
        }  # fmt: skip
        if outcome.problem:
            entry["problem"] = outcome.problem
        if outcome.status == EQUAL:
            entry["seen"] = self.coverage.new(outcome.seen)
        self._take(entry)
        self._file.append(entry)

    def compared(self, kind: str, machine: int) -> int:
        """Cases of a kind that were compared on an accelerator."""
        return self.totals[kind].machines[machine] if kind in self.totals else 0
