# SPDX-License-Identifier: Apache-2.0
"""Where the cycles of each kind of engine went, as a few lines of text."""

from __future__ import annotations

from codesign.report.shares import CAUSES, KINDS, Shares

_NAMES = {
    "useful": "useful", "second_pass": "second pass of 8-bit weights", "padding": "unused lanes and outputs",
    "recomputed": "rows computed again", "token": "waiting for tokens", "param": "waiting for parameters",
    "memory": "waiting for DRAM or a bank", "drain": "drain", "idle": "no instruction",
}  # fmt: skip


def engine_cycles(shares: Shares) -> dict[str, dict[str, int]]:
    """Cycles by kind of engine and cause, with their ``total``; the depthwise units are added up."""
    rows = {kind: shares.engine(kind) for kind in KINDS}
    return {kind: {**causes, "total": sum(causes.values())} for kind, causes in rows.items()}


def cycle_lines(engines: dict[str, dict[str, int]], cycles: int) -> list[str]:
    """A line per cause, a column per kind of engine: the pointwise array in cycles, all in shares of the frame."""
    lines = [f"{'cycles went into':<30} {'pointwise':>11}        " + "".join(f"{kind:>11}" for kind in KINDS[1:])]
    for cause in (*CAUSES, "total"):
        name = _NAMES.get(cause, cause)
        mine = engines["pointwise"][cause]
        shares = "".join(f"{_share(engines[kind], cause):>11.1%}" for kind in KINDS[1:])
        lines.append(f"{name:<30} {mine:>11,} {mine / max(1, cycles):>6.1%} {shares}")
    return lines


def _share(causes: dict[str, int], cause: str) -> float:
    return causes[cause] / max(1, causes["total"])
