# SPDX-License-Identifier: Apache-2.0
"""What a run leaves to look at: log.csv, a row an epoch, and log.png, loss and AP50 over the epochs."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path

from codesign.bounded import MIB, read_bytes
from codesign.errors import UserError

_MOST_BYTES = 16 * MIB
_REAL = ("loss", "ap50")
COLUMNS = ("epoch", "stage", "loss", "rate", "seconds", "ap50")


def append(out: Path, row: dict[str, object]) -> None:
    """Add a row to out/log.csv; a row of the same epoch, left by a part of the run that was killed, is replaced."""
    path, partial = out / "log.csv", out / ".log.csv.new"
    rows = [r for r in read(out) if int(r["epoch"]) < int(str(row["epoch"]))]
    try:
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows([*rows, {name: row.get(name, "") for name in COLUMNS}])
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path}: cannot write ({error.strerror}); check the folder's space and permissions") from None


def read(out: Path) -> list[dict[str, str]]:
    """Rows of out/log.csv so far; a file of another form counts as empty."""
    path = out / "log.csv"
    if not path.is_file():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(path, _MOST_BYTES).decode(), newline="")))
        return rows if all(map(_sound, rows)) else []
    except (UserError, UnicodeDecodeError, csv.Error):
        return []


def _sound(row: dict[str, str]) -> bool:
    """Whether a row has every column, and numbers where they belong."""
    try:
        return set(row) == set(COLUMNS) and int(row["epoch"]) >= 0 and all(math.isfinite(float(row[name] or 0)) for name in _REAL)
    except (ValueError, TypeError):
        return False


def clear(out: Path) -> None:
    """A run from the start has a log of its own."""
    (out / "log.csv").unlink(missing_ok=True)


def plot(out: Path) -> None:
    """Draw out/log.png from the log."""
    rows = read(out)
    if not rows:
        return
    from matplotlib.figure import Figure

    figure = Figure((7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for stage, colour in (("float", "tab:blue"), ("quantised", "tab:orange")):
        mine = [r for r in rows if r["stage"] == stage]
        axes.plot([int(r["epoch"]) for r in mine], [float(r["loss"]) for r in mine], color=colour, label=f"loss, {stage}")
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    scored = [r for r in rows if r["ap50"]]
    if scored:
        right = axes.twinx()
        right.plot([int(r["epoch"]) for r in scored], [float(r["ap50"]) for r in scored], "k.-", label="AP50, held out")
        right.set(ylabel="AP50", ylim=(0, 1))
        right.legend(loc="lower left")
    axes.legend(loc="upper right")
    axes.grid(alpha=0.3)
    figure.savefig(out / "log.png", dpi=110)
