# SPDX-License-Identifier: Apache-2.0
"""The fastest design that a sweep found for a board and an accuracy, and the command that builds it."""

from __future__ import annotations

import shlex
from typing import Any

from codesign.errors import UserError
from codesign.sweep.store import Store


def recommend(store: Store, board: str | None, min_ap50: float | None) -> dict[str, Any]:
    """The point of least latency that meets both; of equal ones the smallest. What synthesis found too large is left out.

    Raises `UserError`, and says what there is.
    """
    points = store.points()
    if not points:
        raise UserError(f"{store.path}: holds no points yet; run the sweep first")
    boards = sorted({point["board"] for point in points})
    if board is not None and board not in boards:
        raise UserError(f"--board {board!r}: the sweep has {', '.join(boards)}")
    here = [point for point in points if board in (None, point["board"]) and (point.get("rtl") or {}).get("fits", True)]
    if not here:
        raise UserError(f"{store.path}: no point fits its board as synthesised; sweep smaller accelerators, or lower hardware.fill")
    if min_ap50 is not None:
        scored = [point["ap50"] for point in here if point["ap50"] is not None]
        if not scored:
            raise UserError("--min-ap50: no network of the sweep has a measured AP50; give network.model or a [training] table")
        here = [point for point in here if (point["ap50"] or 0) >= min_ap50]
        if not here:
            raise UserError(f"--min-ap50 {min_ap50:g}: the best network of the sweep has {max(scored):.3f}")
    sure = [point for point in here if point["fidelity"] != "estimated"] or here
    return min(sure, key=lambda point: (point["latency_ms"], point["area"], point["design"]))


def build_command(store: Store, point: dict[str, Any]) -> str:
    """What builds this point."""
    with store.rendered():
        arguments = [str(each) for each in (store.about("networks") or {}).get(point["network"], {}).get("build", [])]
    return shlex.join(["codesign", "build", "--board", point["design"], *arguments])
