# SPDX-License-Identifier: Apache-2.0
"""The outcome table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from codesign.faults.injections import KINDS
from codesign.faults.trial import DIFFERENT, HUNG, MASKED, UNANSWERED, Result
from codesign.program.isa import Fault

OUTCOMES = (*(fault.name for fault in Fault if fault), UNANSWERED, MASKED, DIFFERENT, HUNG)


def table(results: Sequence[Result]) -> str:
    """Markdown: a row per kind; columns are outcomes, then what must be 0 or all."""
    heads = ("kind", "injected", *OUTCOMES, "driver's check fails", "silent corruptions", "writes outside", "next frame right")
    rows = [f"| {' | '.join(heads)} |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for kind in KINDS:
        rows.append(_row(kind, [r for r in results if r.kind == kind]))
    return "\n".join([*rows, _row("all", results)])


def _row(name: str, results: Sequence[Result]) -> str:
    counts = Counter(r.outcome for r in results)
    last = (sum(not r.whole for r in results), sum(r.silent for r in results), sum(r.outside for r in results),
            sum(r.recovered for r in results))  # fmt: skip
    return f"| {name} | {len(results)} | " + " | ".join(str(n) for n in (*(counts[o] for o in OUTCOMES), *last)) + " |"


def wrong(results: Sequence[Result]) -> list[Result]:
    """Those that must not be."""
    return [r for r in results if r.outcome == HUNG or r.silent or r.outside or not r.recovered]
