# SPDX-License-Identifier: Apache-2.0
"""steps.json: what was built and, for each step that ended, what it read, what it wrote and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codesign.bounded import read_json
from codesign.build.artefacts import file_hash, json_text, write_whole
from codesign.errors import UserError

SCHEMA = 1


@dataclass(frozen=True)
class StepRecord:
    """``inputs`` by name and ``outputs`` by path are SHA-256 hashes of what was read and generated."""

    status: str
    reason: str
    seconds: float
    inputs: dict[str, str]
    outputs: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    def edited(self, folder: Path, outputs: Sequence[str]) -> list[str]:
        """Which of a step's outputs in the build folder are not what it generated; the record's own names are not trusted."""
        return [name for name in outputs if name in self.outputs and file_hash(folder / name) not in (self.outputs[name], "")]


class Records:
    """The file, read once and written whole after every step. An unreadable one counts as empty: steps run again."""

    def __init__(self, path: Path, fresh: bool = False, about: dict[str, str] | None = None):
        self._path = path
        self._steps: dict[str, StepRecord] = {} if fresh else _read(path)
        self.about = _about(path) if about is None else about  #: what was built: board and config

    def get(self, name: str) -> StepRecord | None:
        return self._steps.get(name)

    def put(self, name: str, record: StepRecord) -> None:
        self._steps[name] = record
        self._write()

    def drop(self, name: str) -> None:
        """Forget a step before it runs, so that an interrupted one is not taken for finished."""
        if self._steps.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        steps = {name: asdict(record) for name, record in self._steps.items()}
        write_whole(self._path, json_text({"schema": SCHEMA, "about": self.about, "steps": steps}))


def _read(path: Path) -> dict[str, StepRecord]:
    try:
        document = read_json(path)
        if document["schema"] != SCHEMA:
            return {}
        return {name: _record(record) for name, record in document["steps"].items()}
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _about(path: Path) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in read_json(path)["about"].items()}
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _record(values: dict[str, Any]) -> StepRecord:
    record = StepRecord(**values)
    hashes = [*record.inputs.items(), *record.outputs.items()]
    texts = [record.status, record.reason, *(text for pair in hashes for text in pair)]
    numeric = isinstance(record.seconds, int | float) and isinstance(record.facts, dict)
    if not numeric or not all(isinstance(text, str) for text in texts):
        raise TypeError("not a step's record")
    return record
