# SPDX-License-Identifier: Apache-2.0
"""Processes beside the build: they end when it does, however it ends."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


class Child:
    """A command with its output in a file. `end` is harmless once it has ended."""

    def __init__(self, command: Sequence[str], log: Path, folder: Path | None = None):
        self.log = log
        with open(log, "wb") as output:
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
        """Of its output, for a message."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:160] if lines else "no output"


def _end_with_parent() -> None:
    """Linux: the child gets a SIGTERM when its parent dies, even of SIGKILL."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
