# SPDX-License-Identifier: Apache-2.0
"""What an accelerator takes of each board's device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codesign.boards import Board, known_boards, load_board
from codesign.errors import UserError
from codesign.report.html.axes import drawing, noted
from codesign.report.html.page import figure

KINDS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "block RAM"}
_WIDTH, _LABEL, _ROW = 760, 190, 19


def resources(board: Board, found: dict[str, Any] | None) -> str:
    """Bars for every board that comes with the package: Yosys' figures on ``board`` (None: not synthesised), the resource
    model's on the others, for the same accelerator."""
    from codesign.sweep.resources import estimate

    rows: list[tuple[str, str, dict[str, float], dict[str, int]]] = []
    for base in [board, *(load_board(name) for name in known_boards() if load_board(name).device != board.device)]:
        here = base.device == board.device
        limits = {kind: getattr(base.device, kind) for kind in KINDS}
        if here and found:
            rows.append((base.title, "estimated by Yosys", {kind: found[kind] for kind in KINDS}, limits))
            continue
        try:
            used = estimate(replace(base, accelerator=board.accelerator)).rounded()
        except UserError:
            continue
        rows.append((base.title, "resource model", used, limits))
    marks, y = "", 4.0
    for title, source, used, limits in rows:
        fits = all(used[kind] <= limits[kind] for kind in KINDS)
        marks += f'<text x="0" y="{y + 13}">{title}</text><text x="0" y="{y + 29}" class="soft">{source}</text>'
        marks += f'<text x="0" y="{y + 45}" class="soft">{"fits" if fits else "does not fit"}</text>'
        for number, kind in enumerate(KINDS):
            marks += _bar(y + number * _ROW, kind, used[kind], limits[kind])
        y += len(KINDS) * _ROW + 14
    caption = "The bars' frames are what the device has. Before place and route; the resource model is fitted to synthesised configurations."
    return figure("resources", drawing(_WIDTH, y, marks, "Resources against each board"), caption)


def _bar(y: float, kind: str, used: float, limit: int) -> str:
    room = _WIDTH - _LABEL - 200
    share = used / limit if limit else 0.0
    tip = f"{used:,g} of {limit:,} {KINDS[kind]}: {share:.1%}"
    return (
        f'<text x="{_LABEL + 55}" y="{y + 12}" text-anchor="end" class="soft">{KINDS[kind]}</text>'
        f'<rect class="rail" x="{_LABEL + 62}" y="{y + 2}" width="{room}" height="12"/>'
        f'<rect class="{"over" if share > 1 else "one"}" x="{_LABEL + 62}" y="{y + 2}" width="{room * min(1.0, share):.1f}" height="12" {noted(tip, True)}/>'
        f'<text x="{_LABEL + 70 + room}" y="{y + 12}" class="soft">{used:,g} ({share:.0%})</text>'
    )
