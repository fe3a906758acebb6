# SPDX-License-Identifier: Apache-2.0
"""Many cases, one after the other, kept in a journal; what differs is shrunk and saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from codesign.build.artefacts import source_hash, write_whole
from codesign.errors import UserError
from codesign.fuzz.case import KINDS, Case, drawn
from codesign.fuzz.journal import Journal
from codesign.fuzz.machines import MACHINES, library, title
from codesign.fuzz.shrink import shrunk
from codesign.fuzz.trial import DIFFERENT, Outcome, run_case

SOURCES = ("hw", "sim", "codesign/program", "codesign/plan", "codesign/golden", "codesign/graph", "codesign/lower",
           "codesign/numeric.py", "codesign/fuzz", "codesign/verify")  # fmt: skip
MOST_REFUSED = 0.5  #: share of seeds beyond which a campaign gives up


class Campaign:
    """Cases until so many of each kind have been compared. ``failures`` is the folder for shrunk cases."""

    def __init__(self, journal: Path, failures: Path, log: Callable[[str], None] = lambda _: None):
        self.failures, self._log = failures, log
        self.journal = Journal(journal, source_hash(*SOURCES))
        self._libraries: dict[int, Path] = {}

    def run(self, wanted: dict[str, int], progress: Callable[[str, Outcome], None] = lambda *_: None) -> None:
        """``wanted`` compared cases by kind, those in the journal included: one accelerator after the other, to each its
        share, so that the first results are there before the last accelerator is compiled."""
        for number in range(len(MACHINES)):
            for kind in KINDS:
                share = -(-wanted.get(kind, 0) // len(MACHINES))
                seed = number
                while self.journal.compared(kind, number) < share:
                    if seed > len(MACHINES) * (20 + share / MOST_REFUSED):
                        raise UserError(f"the planner refuses most {kind} cases; {self.journal.path} says why")
                    if (kind, seed) not in self.journal.done:
                        progress(kind, self._one(kind, seed))
                    seed += len(MACHINES)

    def _one(self, kind: str, seed: int) -> Outcome:
        case = drawn(kind, seed)
        number = MACHINES.index(case.machine)
        outcome = run_case(case, self._library(number))
        self.journal.add(case, number, outcome)
        if outcome.status == DIFFERENT:
            self._log(f"{case.name} ({title(case.machine)}): {outcome.problem}")
            self._save(case, outcome)
        return outcome

    def _library(self, number: int) -> Path:
        if number not in self._libraries:
            self._log(f"accelerator {number + 1} of {len(MACHINES)}: {title(MACHINES[number])}")
            self._libraries[number] = library(MACHINES[number], None, self._log)
        return self._libraries[number]

    def _save(self, case: Case, outcome: Outcome) -> None:
        small = shrunk(case, lambda smaller: run_case(smaller, library(smaller.machine)).status == DIFFERENT)
        path = self.failures / f"{case.name}.json"
        write_whole(path, json.dumps(small.document(outcome.problem), indent=1) + "\n")
        self._log(f"{case.name}: shrunk to {path}; put it into tests/fuzz/cases when its cause is gone")
