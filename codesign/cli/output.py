# SPDX-License-Identifier: Apache-2.0
"""What commands print: lines for a log, a passing line where somebody watches, and JSON for other programs."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from codesign.build.artefacts import json_text, write_whole
from codesign.build.runner import Listener, StepResult
from codesign.build.step import Context, Step
from codesign.errors import UserError


def console() -> Console:
    """Standard output; plain text of any length where it is not a terminal."""
    return Console(highlight=False, soft_wrap=True, markup=False)


def write_json(path: Path | None, document: Any) -> None:
    """The answer of ``--json FILE``."""
    if path is not None:
        write_whole(path, json_text(document))


def expect_writable(path: Path) -> None:
    """Refuse, before any work, an output file that cannot be written; its folder is made."""
    if path.is_dir():
        raise UserError(f"--out {path}: is a folder; name a file in it, such as {path / 'model.safetensors'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UserError(f"--out {path}: cannot be written ({error.strerror}); check the path, the disk's space and permissions") from None


@contextmanager
def counted(label: str, total: int) -> Iterator[Any]:
    """A progress bar over ``total`` items on a terminal; the value is called after each item."""
    from rich.progress import Progress

    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


_STYLES = {"verified": "bold green", "done": "green", "skipped": "yellow", "failed": "bold red"}


class BuildPrinter(Listener):
    """A line per step with its status and time, what it found, and a passing line for the one at work."""

    def __init__(self, details: bool = True) -> None:
        self._details = details
        self._out = console()
        self._status = self._out.status("") if self._out.is_terminal else None
        self._names: list[str] = []
        self._name = ""
        self._began = 0.0
        self._notes: list[str] = []

    def began(self, context: Context, steps: Sequence[Step]) -> None:
        self._names = [step.name for step in steps]
        self._out.print(f"codesign build: {context.board.title}, {context.options.title} -> {context.folder}/")

    def step(self, name: str) -> None:
        self._name, self._began, self._notes = name, time.monotonic(), []
        if self._status:
            self._status.update(f"{name} ...")
            self._status.start()

    def progress(self, text: str) -> None:
        if self._status:
            self._status.update(f"{self._name}: {text} ({time.monotonic() - self._began:.0f} s)")

    def note(self, text: str) -> None:
        self._out.print(f"       {text}")

    def detail(self, text: str) -> None:
        if self._details:
            self._out.print(f"       {text}")

    def ended(self, result: StepResult) -> None:
        if self._status:
            self._status.stop()
        number = self._names.index(result.name) + 1 if result.name in self._names else 0
        head = f"[{number}/{len(self._names)}] {result.name:<11}"
        text = f" ({result.reason})" if result.status in ("skipped", "failed") else f" {result.reason}"
        self._out.print(head, end="")
        self._out.print(f"{result.status:<8}", style=_STYLES.get(result.status), end="")
        self._out.print(f"{result.seconds:7.1f} s {text}")

    def close(self) -> None:
        """Take the passing line away."""
        if self._status:
            self._status.stop()
