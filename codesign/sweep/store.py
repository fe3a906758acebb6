# SPDX-License-Identifier: Apache-2.0
"""The sweep's one SQLite file: every answer under the key of its task, written as soon as it is there.

A killed sweep loses only what was being worked on: an answer is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from codesign.bounded import reason
from codesign.errors import UserError
from codesign.sweep.points import checked_point
from codesign.sweep.task import Task, canonical, sources, versions

SCHEMA = 1
_MOST_VALUE = 16 << 20  #: bytes of one value
_BROKEN = (sqlite3.Error, ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError)
_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, answer TEXT NOT NULL, seed INTEGER NOT NULL,
    versions TEXT NOT NULL, sources TEXT NOT NULL, seconds REAL NOT NULL, finished TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS points (
    network TEXT NOT NULL, design TEXT NOT NULL, fidelity TEXT NOT NULL, front INTEGER NOT NULL, point TEXT NOT NULL,
    PRIMARY KEY (network, design));
"""


class Store:
    """Answers by task, and the points made of them. Raises `UserError` for a file that is none of ours."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            self._refuse_programs()
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.executescript(_TABLES)
            found = self._base.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
            if found is None:
                self._base.execute("INSERT INTO about VALUES ('schema', ?)", (str(SCHEMA),))
            elif str(found[0]) != str(SCHEMA):
                raise UserError(f"{path}: results of another version of codesign; choose another folder with --out")
        except sqlite3.Error as error:
            raise UserError(f"{path}: not a sweep's results ({reason(error, 100)}); choose another folder with --out") from None

    def _refuse_programs(self) -> None:
        """A data base of tables alone: a view or a trigger would run whatever it says when a table is asked for."""
        self._base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
        self._base.execute("PRAGMA trusted_schema=OFF")
        odd = self._base.execute("SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE '%virtual%'").fetchone()
        if odd is not None:
            raise UserError(f"{self.path}: holds a {str(odd[0])[:20]}, which no sweep makes; choose another folder with --out")

    def close(self) -> None:
        self._base.close()

    def get(self, task: Task) -> dict[str, Any] | None:
        """The answer of a task that was done before."""
        with self._read():
            row = self._base.execute("SELECT answer FROM answers WHERE key = ?", (task.key,)).fetchone()
            return json.loads(row[0]) if row else None

    def put(self, task: Task, answer: dict[str, Any], seconds: float) -> None:
        """Keep an answer, with seed, versions, source hash and time."""
        values = (task.key, task.kind, canonical(task.subject), canonical(answer), task.seed, versions(task.kind),
                  sources(task.kind), round(seconds, 3), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))  # fmt: skip
        with self._written():
            self._base.execute(f"INSERT OR REPLACE INTO answers VALUES ({','.join('?' * len(values))})", values)

    def provenance(self, task: Task) -> dict[str, Any]:
        """Key, seed, versions and sources of an answer, for a report."""
        with self._read():
            row = self._base.execute("SELECT key, seed, versions, sources FROM answers WHERE key = ?", (task.key,)).fetchone()
        return {"key": row[0], "seed": row[1], "versions": json.loads(row[2]), "sources": row[3]} if row else {}

    def put_points(self, points: list[dict[str, Any]]) -> None:
        """Replace all points, at once."""
        rows = [(p["network"], p["design"], p["fidelity"], int(p["front"]), canonical(p)) for p in points]
        with self._written():
            self._base.execute("BEGIN")
            self._base.execute("DELETE FROM points")
            self._base.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", rows)
            self._base.execute("COMMIT")

    def points(self) -> list[dict[str, Any]]:
        """All points, those of a front first."""
        with self._read():
            found = self._base.execute("SELECT point FROM points ORDER BY front DESC, network, design")
            return [checked_point(json.loads(row[0])) for row in found]

    def about(self, key: str) -> Any:
        """What was noted about the sweep; None if nothing."""
        with self._read():
            row = self._base.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
            return json.loads(row[0]) if row else None

    def note(self, key: str, value: Any) -> None:
        with self._written():
            self._base.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (key, canonical(value)))

    def result_set(self) -> list[tuple[Any, ...]]:
        """Everything that a sweep found, without times: equal for two sweeps of the same file."""
        answers = "SELECT key, kind, subject, answer, seed, versions, sources FROM answers ORDER BY key"
        with self._read():
            return [*self._base.execute(answers), *self._base.execute("SELECT * FROM points ORDER BY network, design")]

    def rendered(self) -> AbstractContextManager[None]:
        """While what the sweep noted is put into words: what a foreign or edited file lacks is a UserError of one line."""
        return self._read()

    @contextmanager
    def _read(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            said = f"{type(error).__name__}: {reason(error, 100)}"
            raise UserError(f"{self.path}: cannot be read ({said}); choose another folder with --out") from None

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(f"{self.path}: cannot be written ({error}); check the disk's space and permissions") from None
