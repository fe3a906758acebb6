# SPDX-License-Identifier: Apache-2.0
"""Runs the list of steps: keeps what is unchanged, uses what was edited, stops at the first failure."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codesign.boards import load_board
from codesign.build.artefacts import opened, source_hash
from codesign.build.command_line import command_line
from codesign.build.options import BuildOptions
from codesign.build.record import Records, StepRecord
from codesign.build.step import DONE, FAILED, REPORT, SKIPPED, Context, Outcome, Step
from codesign.errors import UserError

KEPT = "kept from before"
EDITED = "edited since it was generated; used as it is (--fresh regenerates)"


@dataclass(frozen=True)
class StepResult:
    """One step as printed and reported. ``kept``: it did not run this time."""

    name: str
    status: str
    seconds: float
    reason: str
    kept: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BuildResult:
    """The folder, its steps and whether everything that was checked agreed."""

    folder: Path
    steps: tuple[StepResult, ...]

    @property
    def failed(self) -> bool:
        return any(step.status == FAILED for step in self.steps)


class Listener:
    """Hears what a build does; this one is silent. The command line's prints."""

    def began(self, context: Context, steps: Sequence[Step]) -> None:
        """The list of steps is known."""

    def step(self, name: str) -> None:
        """A step is being worked on."""

    def note(self, text: str) -> None:
        """Something about the step that the user should know."""

    def detail(self, text: str) -> None:
        """A line of what the step found, such as one tensor's statistics."""

    def progress(self, text: str) -> None:
        """A passing remark."""

    def ended(self, result: StepResult) -> None:
        """A step ended or was kept."""


def build(
    options: BuildOptions, listener: Listener | None = None, steps: Sequence[Step] | None = None, until: str = ""
) -> BuildResult:
    """Run the steps (all of them, or up to ``until``). Raises `UserError` for what the user has to mend."""
    from codesign.build.steps import all_steps

    listener = listener or Listener()
    board = load_board(options.board)
    todo = list(steps if steps is not None else all_steps(options.backend))
    with opened(options.folder(board.name)) as folder:
        context = Context(options, board, folder, listener.detail, listener.progress)
        listener.began(context, todo)
        runner = Runner(context, todo, listener)
        try:
            return runner.run(until)
        except BaseException:
            with contextlib.suppress(OSError, UserError):
                runner.withdraw_report()
            raise
        finally:
            for step in todo:
                step.cancel()


class Runner:
    """The steps of one build folder, in order."""

    def __init__(self, context: Context, steps: Sequence[Step], listener: Listener):
        self._context, self._steps, self._listener = context, steps, listener
        context.command = context.command or command_line(context.options)
        about = {"board": _lasting(context), "config": context.options.config, "backend": context.options.backend,
                 "command": context.command}  # fmt: skip
        self._records = Records(context.path("steps.json"), context.options.fresh, about)
        self._fresh = context.options.fresh

    def run(self, until: str = "") -> BuildResult:
        results: list[StepResult] = self._context.results
        for step in self._steps:
            failed = next((r for r in results if r.status == FAILED), None)
            self._listener.step(step.name)
            if failed is not None and step.name != "report":
                step.cancel()
                result = StepResult(step.name, SKIPPED, 0.0, f"{failed.name} failed")
            else:
                result = self._one(step)
            results.append(result)
            self._listener.ended(result)
            if result.facts and result.status != FAILED:
                step.show(self._context, result.facts)
            for later in self._steps:
                if later.starts_after == step.name and result.status not in (FAILED, SKIPPED):
                    self._start(later)
            if step.name == until:
                break
        return BuildResult(self._context.folder, tuple(results))

    def withdraw_report(self) -> None:
        """The report of an earlier build no longer holds: a step runs again, or the build stops here."""
        for step in self._steps:
            if REPORT in step.outputs:
                self._keep_edits(step)
        path = self._context.path(REPORT)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{path}: cannot be replaced ({error.strerror}); remove it") from None

    def _start(self, step: Step) -> None:
        if not self._unchanged(step, self._inputs(step)):
            step.start(self._context)

    def _inputs(self, step: Step) -> dict[str, str]:
        return {**step.inputs(self._context), "code": source_hash(*step.sources)}

    def _unchanged(self, step: Step, inputs: dict[str, str]) -> StepRecord | None:
        """The record of a step that need not run again."""
        record = self._records.get(step.name)
        if record is None or record.inputs != inputs:
            return None
        return record if all(self._context.path(name).exists() for name in step.outputs) else None

    def _one(self, step: Step) -> StepResult:
        inputs = self._inputs(step)
        record = self._unchanged(step, inputs)
        if record is not None:
            note_edits(step, record, self._context.folder, self._listener)
            reason = f"{record.reason}; {KEPT}" if record.reason else KEPT
            return StepResult(step.name, record.status, 0.0, reason, True, record.facts)
        self.withdraw_report()
        self._keep_edits(step)
        self._records.drop(step.name)
        began = time.monotonic()
        try:
            outcome = step.run(self._context)
        except (UserError, OSError) as error:
            self._listener.ended(StepResult(step.name, FAILED, time.monotonic() - began, str(error)))
            raise
        seconds = round(time.monotonic() - began, 2)
        if outcome.status in (DONE, "verified"):
            outputs = {name: self._context.hash(name) for name in step.outputs}
            self._records.put(
                step.name, StepRecord(outcome.status, outcome.reason, seconds, inputs, outputs, outcome.facts)
            )
        return _result(step, outcome, seconds)

    def _keep_edits(self, step: Step) -> None:
        """An edited artefact that has to be generated anew is kept beside the new one."""
        record = self._records.get(step.name)
        for name in record.edited(self._context.folder, step.outputs) if record is not None else ():
            path = self._context.path(name)
            path.replace(path.with_name(path.name + ".edited"))
            self._listener.note(f"{name}: edited, but what it is made from changed; yours is now {name}.edited")


def note_edits(step: Step, record: StepRecord, folder: Path, listener: Listener) -> None:
    """Say which outputs of a step that is kept are not what it wrote; they are read as they are."""
    for name in record.edited(folder, step.outputs):
        listener.note(f"{name}: {EDITED}")


def _lasting(context: Context) -> str:
    """A board's name, or its file wherever the next command runs."""
    named = context.options.board
    return context.board.spec if ".toml" in named else named


def _result(step: Step, outcome: Outcome, seconds: float) -> StepResult:
    return StepResult(step.name, outcome.status, seconds, outcome.reason, False, outcome.facts)
