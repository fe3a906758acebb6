# SPDX-License-Identifier: Apache-2.0
"""Processes beside the build: they end when it does, however it ends."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


class Child:
    """A command with its output in a file. `end` is harmless once it has ended.

    ``writes_log``: the command writes ``log`` itself; its output goes to a file beside it, ending in ``.out``.
    """

    def __init__(self, command: Sequence[str], log: Path, folder: Path | None = None, writes_log: bool = False):
        self.log = log
        self._output = log.with_suffix(".out") if writes_log else log
        if writes_log:
            log.unlink(missing_ok=True)
        with open(self._output, "wb") as output:
            self._process = subprocess.Popen(
                command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent
            )

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit status, or None if it has not ended in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            if self.wait(5) is None:
                self._process.kill()
                self._process.wait()

    def last_line(self) -> str:
        """Of its output, for a message: the first error where a line starts as one, or else the end."""
        for file in (self.log, self._output):
            lines = [line.strip() for line in file.read_text(errors="replace").splitlines()] if file.exists() else []
            said = [line for line in lines if line]
            if said:
                return next((line for line in said if line.startswith("ERROR")), said[-1])[:160]
        return "no output"


def _end_with_parent() -> None:
    """Linux: the child gets a SIGTERM when its parent dies, even of SIGKILL."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
