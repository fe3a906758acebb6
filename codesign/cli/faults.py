# SPDX-License-Identifier: Apache-2.0
"""`codesign faults`: fault injection on the simulated accelerator."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Json
from codesign.cli.output import console, write_json

EVERY = 30  #: seconds between two lines of progress


def faults_command(
    each: Annotated[int, typer.Option("--each", min=1, help="Injections of each kind.")] = 200,
    journal: Annotated[Path, typer.Option("--journal", metavar="FILE", help="Results; an interrupted campaign goes on with them.")]
    = Path("build/faults/journal.jsonl"),
    json: Json = None,
) -> int:
    """AXI errors, resets, corrupted programs, tokens and weights, a silent memory: no hang, no stray write, no silent error."""
    from codesign.faults.campaign import campaign
    from codesign.faults.injections import KINDS
    from codesign.faults.text import table, wrong

    say, began = console().print, time.monotonic()
    last, count = began, 0

    def progress(_: object) -> None:
        nonlocal last, count
        count += 1
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            say(f"{count} injections, {last - began:.0f} s")

    results = campaign(each, journal, say, progress)
    say(table(results))
    bad = wrong(results)
    for result in bad:
        say(f"wrong: {result}", style="bold red")
    say(f"{len(results)} injections of {len(KINDS)} kinds; {count} of them now, in {time.monotonic() - began:.0f} s; {len(bad)} wrong")
    write_json(json, [{**asdict(result), "silent": result.silent} for result in results])
    return 1 if bad else 0
