# SPDX-License-Identifier: Apache-2.0
"""Profile and report made again from what a build folder holds; nothing is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codesign.boards import load_board
from codesign.bounded import read_json
from codesign.build.artefacts import opened
from codesign.build.options import BuildOptions
from codesign.build.record import Records
from codesign.build.runner import BuildResult, Listener, Runner, StepResult, note_edits
from codesign.build.step import REPORT, SKIPPED, Context, Step
from codesign.build.steps import all_steps
from codesign.build.steps.simulate import content
from codesign.errors import UserError

AGAIN = ("profile", "report")


def report_again(folder: Path, listener: Listener | None = None) -> BuildResult:
    """Run the last steps of the build in ``folder`` again. Raises `UserError` where no simulated frame lies."""
    listener = listener or Listener()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give one that `codesign build` or `codesign sweep` wrote")
    records = Records(folder / "steps.json")
    if (folder / "steps.json").exists() and not records.about:
        raise UserError(f"{folder / 'steps.json'}: damaged; `codesign build` makes the folder's steps again")
    if records.get("simulate") is None or "board" not in records.about:
        raise UserError(f"{folder}: holds no simulated frame; `codesign build` makes one")
    board = load_board(records.about["board"])
    backend = records.about.get("backend", "amaranth")
    options = BuildOptions(records.about["board"], records.about.get("config", "b"), out=folder, backend=backend)
    steps = all_steps(backend)
    todo = [step for step in steps if step.name in AGAIN]
    with opened(folder):
        context = Context(options, board, folder, listener.detail, listener.progress)
        context.command = records.about.get("command", "")
        context.results.extend(_before(steps, records, _skipped(folder)))
        content(context)  # the program must be what this version plans
        listener.began(context, todo)
        for step in steps:
            if step.name not in AGAIN and (record := records.get(step.name)) is not None:
                note_edits(step, record, folder, listener)
        for name in AGAIN:
            records.drop(name)
        return Runner(context, todo, listener).run()


def _before(steps: Sequence[Step], records: Records, skipped: dict[str, str]) -> list[StepResult]:
    """What the other steps found, in order."""
    results = []
    for step in steps:
        record = records.get(step.name)
        if step.name in AGAIN:
            continue
        if record is not None:
            results.append(StepResult(step.name, record.status, record.seconds, record.reason, True, record.facts))
        elif step.name in skipped:
            results.append(StepResult(step.name, SKIPPED, 0.0, skipped[step.name]))
    return results


def _skipped(folder: Path) -> dict[str, str]:
    """Reasons of the steps that were skipped, which only the report holds."""
    try:
        rows: list[dict[str, Any]] = read_json(folder / REPORT)["steps"]
        return {str(row["name"]): str(row["reason"]) for row in rows if row["status"] == SKIPPED}
    except (UserError, ValueError, KeyError, TypeError):
        return {}
