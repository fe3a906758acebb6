# SPDX-License-Identifier: Apache-2.0
"""Class names: labels.txt of a data folder, and what a name may be."""

from __future__ import annotations

from pathlib import Path

from codesign.bounded import MIB, read_bytes
from codesign.errors import UserError

_MOST_BYTES = 32 * MIB  # of a list
MAX_LABEL = 100  # characters of a class name; model files hold no longer ones


def read_labels(folder: Path) -> list[str] | None:
    """The names in labels.txt, one a line, in order; None without that file."""
    listed = Path(folder) / "labels.txt"
    if not listed.is_file():
        return None
    names = checked_names([line.strip() for line in text_lines(listed) if line.strip()], listed)
    if not names or len(set(names)) != len(names):
        raise UserError(f"{listed}: must hold distinct class names, one a line")
    return names


def checked_names(names: list[str], where: Path) -> list[str]:
    """The names, if every one may name a class."""
    bad = next((n for n in names if len(n) > MAX_LABEL or not n.isprintable()), None)
    if bad is not None:
        raise UserError(f"{where}: class {repr(bad)[:60]} must be printable text of 1 to {MAX_LABEL} characters; rename it")
    return names


def text_lines(path: Path) -> list[str]:
    """The lines of a text file."""
    try:
        return read_bytes(path, _MOST_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
