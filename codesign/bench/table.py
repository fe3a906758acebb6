# SPDX-License-Identifier: Apache-2.0
"""Rows as text, as Markdown and as JSON values."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codesign import __version__
from codesign.bench.measurement import Row
from codesign.boards import Board

SCHEMA = "codesign-bench-1"
_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("config", lambda r: r.config),
    ("weights", lambda r: r.weights),
    ("input", lambda r: f"{r.input[1]}x{r.input[0]}"),
    ("MMACs", lambda r: f"{r.macs / 1e6:,.0f}"),
    ("cycles", lambda r: f"{r.cycles:,}"),
    ("model error", lambda r: f"{(r.predicted_cycles - r.cycles) / r.cycles:+.1%}"),
    ("frames/s", lambda r: f"{r.fps:.1f}"),
    ("MAC efficiency", lambda r: f"{r.mac_efficiency:.3f}"),
    ("array efficiency", lambda r: f"{r.array_efficiency:.3f}"),
    ("DRAM read MB", lambda r: f"{r.read_bytes / 1e6:.2f}"),
    ("write MB", lambda r: f"{r.write_bytes / 1e6:.2f}"),
    ("values differ", lambda r: f"{r.mismatches:,} of {r.values:,}"),
    ("kcycles/s", lambda r: f"{r.kcycles_per_s:,.0f}"),
    ("golden s", lambda r: f"{r.golden_seconds:.2f}"),
    ("ONNX float s", lambda r: "-" if r.float_seconds is None else f"{r.float_seconds:.3f}"),
    ("lowering s", lambda r: f"{r.lower_seconds:.2f}"),
    ("planning s", lambda r: f"{r.plan_seconds:.2f}"),
)


def text_table(rows: Sequence[Row], board: Board) -> list[str]:
    """One row per figure, one column per configuration: fits a terminal."""
    table = [[name, *(show(row) for row in rows)] for name, show in _COLUMNS]
    widths = [max(len(line[column]) for line in table) for column in range(len(rows) + 1)]
    lines = [
        f"{line[0]:<{widths[0]}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in table
    ]
    return [*lines, *notes(rows, board)]


def markdown_table(rows: Sequence[Row], board: Board) -> str:
    """One line per configuration, and what the figures are."""
    head = "| " + " | ".join(name for name, _ in _COLUMNS) + " |"
    rule = "|" + "---|" * 2 + "---:|" * (len(_COLUMNS) - 2)
    body = ["| " + " | ".join(show(row) for _, show in _COLUMNS) + " |" for row in rows]
    return "\n".join([head, rule, *body, "", " ".join(notes(rows, board))]) + "\n"


def notes(rows: Sequence[Row], board: Board) -> list[str]:
    """What the figures are, and where they were taken."""
    config = board.accelerator
    lines = [
        f"{board.title}, {config.array_macs} + {config.depthwise_macs} multipliers; cycles and frames/s simulated, at {board.clock_mhz:g} MHz.",
        f"Times on {machine()}.",
    ]
    with_float = next((row for row in rows if row.float_seconds is not None), None)
    if with_float is not None:
        lines.append(f"ONNX Runtime {with_float.float_version}, {with_float.float_threads} threads, median of a float frame.")
    for reason in dict.fromkeys(row.float_reason for row in rows if row.float_reason):
        lines.append(f"No ONNX float time: {reason}.")
    return lines


def bench_json(rows: Sequence[Row], board: Board) -> dict[str, Any]:
    """The document for ``--json``."""
    return {
        "schema": SCHEMA, "version": __version__, "board": board.name, "machine": machine(),
        "array_macs": board.accelerator.array_macs, "depthwise_macs": board.accelerator.depthwise_macs,
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip


def machine() -> str:
    """Processor and cores."""
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
