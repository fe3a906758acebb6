# SPDX-License-Identifier: Apache-2.0
"""A file of results that grows: JSON lines, appended whole or not at all, so that killed work goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesign.bounded import MIB, read_bytes, reason
from codesign.errors import UserError


class JsonLines:
    """``path`` need not exist. Several processes may append to one file. The first entry's first key is `schema`.

    A last line that a killed process or a full disk left unfinished is ignored by readers and cut off by the next
    append; a damaged line anywhere else is an error, which ends in ``remedy``.
    """

    def __init__(self, path: Path, remedy: str, most_bytes: int = 64 * MIB):
        self.path, self._remedy, self._most_bytes = Path(path), remedy, most_bytes

    def read(self) -> list[dict[str, Any]]:
        """Every whole line; none where the file is not there. Raises `UserError` for a file that holds anything but objects."""
        if not os.path.lexists(self.path):
            return []
        try:
            *lines, rest = read_bytes(self.path, self._most_bytes).decode().split("\n")
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: not a readable results file ({reason(error)}); {self._remedy}") from None
        if rest and not lines and not rest.startswith('{"schema"'):
            raise UserError(f"{self.path}: not a results file of this program; {self._remedy}")
        return [self._entry(number, line) for number, line in enumerate(lines, 1) if line.strip()]

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an object; it is on the disk when this returns. Raises `UserError` where that cannot be."""
        line = (json.dumps(entry, separators=(",", ":"), allow_nan=False) + "\n").encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); {self._remedy}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._write(handle, line)
        except OSError as error:
            raise UserError(f"{self.path}: cannot append ({error.strerror}); free some space and run again") from None
        finally:
            os.close(handle)

    def _write(self, handle: int, line: bytes) -> None:
        kept = _end_of_lines(handle)
        os.ftruncate(handle, kept)
        if os.pwrite(handle, line, kept) != len(line):
            os.ftruncate(handle, kept)
            raise UserError(f"{self.path}: cannot append (no space); free some and run again")
        os.fsync(handle)

    def _entry(self, number: int, line: str) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            raise UserError(f"{self.path}: line {number} is not a result of this program; {self._remedy}")
        return entry


def _end_of_lines(handle: int, step: int = 1 << 16) -> int:
    """Bytes up to and including the last line end."""
    start = os.lseek(handle, 0, os.SEEK_END)
    while start > 0:
        begin = max(0, start - step)
        found = os.pread(handle, start - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        start = begin
    return 0
