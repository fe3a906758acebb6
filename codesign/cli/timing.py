# SPDX-License-Identifier: Apache-2.0
"""`codesign timing`: each engine placed and routed for ECP5."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Json
from codesign.cli.output import console, write_json
from codesign.timing.engines import ENGINES, PIECES
from codesign.timing.flow import Stages

if TYPE_CHECKING:
    from codesign.boards import Board
    from codesign.timing import Row, RowStore

WIDTH = max(map(len, ENGINES))


def timing_command(
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose accelerator's engines are placed.")] = "ulx3s-85f",
    engine: Annotated[str, typer.Option("--engine", metavar="NAME,..", help=f"Of {', '.join(ENGINES)}; default all but the last.")] = ",".join(PIECES),
    seed: Annotated[int, typer.Option("--seed", min=1, help="nextpnr's seed.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Output folder; default build/timing-BOARD.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Place again what is kept from before.")] = False,
    json: Json = None,
) -> int:
    """Resources, Fmax and critical path of each engine, by Yosys and nextpnr for LFE5U-85F; resumes when interrupted."""
    from codesign.boards import load_board
    from codesign.build.artefacts import opened
    from codesign.timing import RowStore, text_table, timing_json
    from codesign.timing.flow import tools

    loaded, wanted = load_board(board), _engines(engine)
    tools()
    with opened(out or Path("build") / f"timing-{loaded.name}") as folder:
        rows = _rows(wanted, loaded, RowStore(folder, loaded, seed), seed, fresh)
        say = console().print
        for line in text_table(rows, loaded):
            say(line)
        say(f"written: {folder / 'timing.md'}, {folder / 'timing.json'}")
    write_json(json, timing_json(rows, loaded, seed))
    return 1 if any(row.reason for row in rows) else 0


def _engines(text: str) -> list[str]:
    """Checked, each once."""
    from codesign.errors import UserError

    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in ENGINES:
            raise UserError(f"--engine {name!r}: must be one of {', '.join(ENGINES)}")
    return names


def _rows(wanted: list[str], board: Board, store: RowStore, seed: int, fresh: bool) -> list[Row]:
    """Kept rows and, for the others, new ones; the report is written after each, so that Ctrl-C leaves it as far as it is."""
    from codesign.timing import measure

    rows, printer = [], _Printer()
    for number, engine in enumerate(wanted, start=1):
        printer.began(f"[{number}/{len(wanted)}] {engine:<{WIDTH}}")
        try:
            row = None if fresh else store.get(engine)
            row = row or measure(engine, board, store, seed, printer, fresh)
        finally:
            printer.close()
        printer.ended(row)
        rows.append(row)
        _report(rows, board, store, seed)
    return rows


def _report(rows: list[Row], board: Board, store: RowStore, seed: int) -> None:
    """timing.json and timing.md: these rows, and those of other engines that still hold."""
    from codesign.build.artefacts import json_text, write_whole
    from codesign.timing import markdown_table, timing_json

    known = {row.engine: row for row in rows}
    every = [known.get(name) or store.get(name) for name in ENGINES]
    held = [row for row in every if row is not None]
    write_whole(store.folder / "timing.json", json_text(timing_json(held, board, seed)))
    write_whole(store.folder / "timing.md", markdown_table(held, board))


class _Printer(Stages):
    """A line per engine; on a terminal a passing one while it is at work."""

    def __init__(self) -> None:
        self._out = console()
        self._status = self._out.status("") if self._out.is_terminal else None
        self._head = ""
        self._began = 0.0

    def began(self, head: str) -> None:
        self._head, self._began = head, time.monotonic()

    def stage(self, name: str) -> None:
        if self._status:
            self._status.update(f"{self._head} {name} ...")
            self._status.start()
        else:
            self._out.print(f"{self._head} {time.monotonic() - self._began:6.0f} s  {name}")

    def ended(self, row: Row) -> None:
        if row.reason:
            self._out.print(f"{self._head}  not placed: {row.reason}", style="bold red")
            return
        kept = ", kept from before" if row.kept else ""
        self._out.print(f"{self._head} {row.seconds:6.0f} s  {row.fmax_mhz:.1f} MHz, {row.lut4:,} LUT4{kept}")

    def close(self) -> None:
        """Take the passing line away."""
        if self._status:
            self._status.stop()
