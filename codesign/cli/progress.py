# SPDX-License-Identifier: Apache-2.0
"""How far something long has come and how long it will take: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

LINE_SECONDS = 20.0  #: between two lines of a log

Report = Callable[[int], None]  #: called with how many items are done


@contextmanager
def countdown(out: Console, label: str, total: int, before: int = 0) -> Iterator[Report]:
    """Shows progress over ``total`` items, ``before`` of which were there already and say nothing about the time."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    if not out.is_terminal:
        yield _Lines(out, label, total, before)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, speed_estimate_period=600) as bar:
        task = bar.add_task(label, total=total, completed=before)
        yield lambda done: bar.update(task, completed=done)


class _Lines:
    """A line when `LINE_SECONDS` have passed since the last one."""

    def __init__(self, out: Console, label: str, total: int, before: int):
        self._out, self._label, self._total, self._before = out, label, total, before
        self._began = self._said = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._said < LINE_SECONDS or done >= self._total:
            return
        self._said = now
        self._out.print(f"       {self._label}: {done} of {self._total}, {remaining(now - self._began, done - self._before, self._total - done)}")


def remaining(seconds: float, done: int, left: int) -> str:
    """Time taken for ``done`` items, and about how much the ``left`` ones will take."""
    text = f"{seconds:.0f} s"
    return f"{text}, about {seconds / done * left:.0f} s left" if done > 0 else text
