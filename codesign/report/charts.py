# SPDX-License-Identifier: Apache-2.0
"""What the charts share: size, colours by cause, and files that are the same for the same figures."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from codesign.build.artefacts import write_whole

#: cause -> (colour, what a legend says)
COLOURS = {
    "useful": ("#1b7f5c", "useful"),
    "second_pass": ("#7bc8a4", "second pass of 8-bit weights"),
    "padding": ("#e0c341", "padding: unused lanes and outputs"),
    "recomputed": ("#e08e45", "rows computed again"),
    "token": ("#c0392b", "waits for another engine (tokens)"),
    "param": ("#8e44ad", "waits for parameters"),
    "memory": ("#2c6fbb", "waits for DRAM or a bank"),
    "drain": ("#7f8c8d", "drains"),
    "idle": ("#d9dee2", "nothing in the queue"),
}
DPI = 130


def figure(title: str, width: float, height: float) -> Figure:
    """An empty figure, width and height in inches."""
    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    drawn.suptitle(title, fontsize=11)
    return drawn


def save(drawn: Figure, path: Path) -> None:
    """Write ``path`` as PNG and, beside it, as SVG."""
    with matplotlib.rc_context({"svg.hashsalt": "codesign", "svg.fonttype": "none"}):
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": "codesign"})):
            out = io.BytesIO()
            drawn.savefig(out, format=kind, dpi=DPI, metadata=metadata)
            write_whole(path.with_suffix(f".{kind}"), out.getvalue())
