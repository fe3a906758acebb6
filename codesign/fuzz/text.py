# SPDX-License-Identifier: Apache-2.0
"""A campaign's results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator

from codesign.fuzz.boundaries import BOUNDARIES, CAUSES
from codesign.fuzz.coverage import Coverage, Range
from codesign.fuzz.journal import Journal
from codesign.fuzz.machines import MACHINES, title
from codesign.fuzz.trial import DIFFERENT, EQUAL, REFUSED
from codesign.program import isa

ENGINES = ("load", "store", "pointwise", "depthwise")
OTHER_CAUSES = ("dispatcher: no room in a queue", "DRAM: random pauses")


def report(journal: Journal) -> str:
    """Everything: counts, accelerators, stall causes, boundary conditions, instruction fields."""
    parts = [totals(journal), machines(journal), causes(journal.coverage), conditions(journal.coverage), fields(journal.coverage)]
    return "\n\n".join(parts) + "\n"


def totals(journal: Journal) -> str:
    """A row per kind of case."""
    rows = ["| cases | compared | equal | different | refused by the planner | nodes | values compared | cycles simulated | seconds |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for kind, t in journal.totals.items():
        s = t.statuses
        rows.append(f"| {kind}s | {t.compared:,} | {s[EQUAL]:,} | {s[DIFFERENT]:,} | {s[REFUSED]:,} | {t.nodes:,} "
                    f"| {t.values:,} | {t.cycles:,} | {t.seconds:,.0f} |")  # fmt: skip
    return "\n".join(rows)


def machines(journal: Journal) -> str:
    """Cases compared on each accelerator."""
    rows = ["| accelerator | " + " | ".join(f"{kind}s" for kind in journal.totals) + " |", "|---|" + "---:|" * len(journal.totals)]
    for number, config in enumerate(MACHINES):
        counts = " | ".join(f"{t.machines[number]:,}" for t in journal.totals.values())
        rows.append(f"| {title(config)} | {counts} |")
    return "\n".join(rows)


def causes(coverage: Coverage) -> str:
    """Cases in which an engine spent a cycle so, by the RTL's counters."""
    rows = ["| cases with cycles of | " + " | ".join(CAUSES) + " |", "|---|" + "---:|" * len(CAUSES)]
    for engine in ENGINES:
        rows.append(f"| {engine} | " + " | ".join(f"{coverage.stalls[f'{engine}: {cause}']:,}" for cause in CAUSES) + " |")
    others = [f"{name}: {coverage.stalls[name]:,} cases" for name in OTHER_CAUSES]
    return "\n".join([*rows, "", "; ".join(others) + "."])


def conditions(coverage: Coverage) -> str:
    """Cases of each boundary condition."""
    rows = ["| boundary condition | cases |", "|---|---:|"]
    return "\n".join([*rows, *(f"| {name} | {coverage.boundaries[name]:,} |" for name in BOUNDARIES)])


def fields(coverage: Coverage) -> str:
    """Ranges of the instruction fields that were executed."""
    rows = ["| instruction field | bits | least | greatest | bits seen as 0 and as 1 |", "|---|---:|---:|---:|---:|"]
    return "\n".join([*rows, *_fields(coverage)])


def _fields(coverage: Coverage) -> Iterator[str]:
    for opcode in isa.Opcode:
        for name, width in isa.fields(opcode):
            key = f"{opcode.name}.{name}"
            if key in coverage.fields:
                yield _row(key, width, coverage.fields[key])


def _row(key: str, width: int, seen: Range) -> str:
    least, greatest, ones, zeros = seen
    return f"| {key} | {width} | {least:,} | {greatest:,} | {(ones & zeros).bit_count()} of {abs(width)} |"
