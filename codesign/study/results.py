# SPDX-License-Identifier: Apache-2.0
"""The results file: a line a finished run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from codesign.errors import UserError
from codesign.json_lines import JsonLines
from codesign.study.plan import SCHEMA

_NEEDED = {"key": str, "plan": str, "variant": str, "kind": str, "seed": int, "ap50": float, "offsets": dict}


class Results:
    """Rows of one file; a file that is not there has none."""

    def __init__(self, path: Path) -> None:
        self._file = JsonLines(path, "give another --results")

    @property
    def path(self) -> Path:
        return self._file.path

    def rows(self) -> list[dict[str, Any]]:
        """Every finished run in the order of the file; of two with one key the later counts."""
        rows = [self._row(number, entry) for number, entry in enumerate(self._file.read(), 1)]
        return list({row["key"]: row for row in rows}.values())

    def append(self, row: dict[str, Any]) -> None:
        """Add one run; readers see it whole or not at all."""
        self._file.append({"schema": SCHEMA, **row})

    def _row(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        try:
            whole = row["schema"] == SCHEMA and all(isinstance(row[k], t) for k, t in _NEEDED.items())
        except KeyError:
            whole = False
        if not whole or not math.isfinite(row["ap50"]):
            raise UserError(f"{self.path}: line {number} is not a result of this program; remove it")
        return row
