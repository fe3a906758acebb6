# SPDX-License-Identifier: Apache-2.0
"""The results file: JSON lines, one a finished run, appended whole or not at all.

Several processes may append to one file. A line that a killed process or a full disk left unfinished is cut off by
the next append and ignored by readers; a damaged line anywhere else is an error.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from pathlib import Path
from typing import Any

from codesign.bounded import MIB, read_bytes, reason
from codesign.errors import UserError
from codesign.study.plan import SCHEMA

_MOST_BYTES = 64 * MIB
_NEEDED = {"key": str, "plan": str, "variant": str, "kind": str, "seed": int, "ap50": float, "offsets": dict}


class Results:
    """Rows of one file; a file that is not there has none."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def rows(self) -> list[dict[str, Any]]:
        """Every finished run in the order of the file; of two with one key the later counts."""
        if not os.path.lexists(self.path):
            return []
        try:
            text = read_bytes(self.path, _MOST_BYTES).decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path}: not a readable results file ({reason(error)}); give another --results") from None
        *lines, rest = text.split("\n")
        rows = [self._row(n, line) for n, line in enumerate(lines, 1) if line.strip()]
        if rest and not rows and not rest.startswith('{"schema"'):
            raise UserError(f"{self.path}: not a results file of this program; give another --results")
        return list({row["key"]: row for row in rows}.values())

    def append(self, row: dict[str, Any]) -> None:
        """Add one run; readers see it whole or not at all."""
        line = (json.dumps({"schema": SCHEMA, **row}, allow_nan=False) + "\n").encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.lseek(handle, 0, os.SEEK_END)
            kept = _whole_lines(handle, size)
            if kept < size:
                os.ftruncate(handle, kept)
            os.lseek(handle, kept, os.SEEK_SET)
            if os.write(handle, line) != len(line):
                os.ftruncate(handle, kept)
                raise UserError(f"{self.path}: cannot append (no space); free some and run again")
            os.fsync(handle)
        except OSError as error:
            raise UserError(f"{self.path}: cannot append ({error.strerror})") from None
        finally:
            os.close(handle)

    def _row(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
            whole = row["schema"] == SCHEMA and all(isinstance(row[k], t) for k, t in _NEEDED.items())
        except (ValueError, KeyError, TypeError, RecursionError):
            whole = False
        if not whole or not math.isfinite(row["ap50"]):
            raise UserError(f"{self.path}: line {number} is not a result of this program; remove it")
        return row


def _whole_lines(handle: int, size: int) -> int:
    """Bytes up to and including the last line end."""
    text = os.pread(handle, size, 0)
    return text.rfind(b"\n") + 1
