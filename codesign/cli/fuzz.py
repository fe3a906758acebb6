# SPDX-License-Identifier: Apache-2.0
"""`codesign fuzz`: random layers and networks on random accelerators, every value of RTL against golden."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Json
from codesign.cli.output import console, write_json

if TYPE_CHECKING:
    from codesign.fuzz.journal import Journal

EVERY = 30  #: seconds between two lines of progress


def fuzz_command(
    layers: Annotated[int, typer.Option("--layers", min=0, help="Graphs of one to three operators to compare.")] = 1000,
    networks: Annotated[int, typer.Option("--networks", min=0, help="Networks of tens of nodes to compare.")] = 30,
    journal: Annotated[Path, typer.Option("--journal", metavar="FILE", help="Results; an interrupted campaign goes on with them.")]
    = Path("build/fuzz/journal.jsonl"),
    replay: Annotated[Path | None, typer.Option("--replay", metavar="FILE", help="Run this saved case instead.")] = None,
    json: Json = None,
) -> int:
    """Random graphs x accelerators x DRAM stalls through RTL; differing ones are shrunk and saved beside the journal."""
    from codesign.fuzz.campaign import Campaign
    from codesign.fuzz.text import report
    from codesign.fuzz.trial import DIFFERENT

    say = console().print
    if replay is not None:
        return _replay(replay)
    campaign = Campaign(journal, journal.parent / "failures", say)
    last = time.monotonic()

    def progress(*_: object) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            say(_line(campaign.journal))

    campaign.run({"layer": layers, "network": networks}, progress)
    say(report(campaign.journal))
    write_json(json, _document(campaign.journal))
    return 1 if any(t.statuses[DIFFERENT] for t in campaign.journal.totals.values()) else 0


def _line(journal: Journal) -> str:
    return ", ".join(f"{kind}s {dict(t.statuses)}, {t.values:,} values, {t.seconds:,.0f} s" for kind, t in journal.totals.items())


def _document(journal: Journal) -> dict[str, object]:
    totals = {kind: {**t.statuses, "values": t.values, "cycles": t.cycles, "seconds": t.seconds} for kind, t in journal.totals.items()}
    c = journal.coverage
    return {"totals": totals, "fields": c.fields, "boundaries": dict(c.boundaries), "stalls": dict(c.stalls),
            "operators": dict(c.operators), "failures": journal.failures}  # fmt: skip


def _replay(path: Path) -> int:
    from codesign.fuzz.case import read
    from codesign.fuzz.machines import library
    from codesign.fuzz.trial import DIFFERENT, run_case

    case, say = read(path), console().print
    outcome = run_case(case, library(case.machine, None, say))
    say(f"{case.name}: {outcome.status} {outcome.problem}({outcome.values:,} values of {outcome.nodes} layers)")
    return 1 if outcome.status == DIFFERENT else 0
