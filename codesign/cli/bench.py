# SPDX-License-Identifier: Apache-2.0
"""`codesign bench`: the table of figures, one configuration after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.bench.measurement import Progress
from codesign.build.artefacts import write_whole
from codesign.cli.build import Json
from codesign.cli.output import console, write_json
from codesign.cli.progress import countdown

if TYPE_CHECKING:
    from codesign.bench import Row, RowStore
    from codesign.boards import Board
    from codesign.build import BuildOptions

STAGE_WIDTH = 28


def bench_command(
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose accelerator is simulated.")] = "pynq-z2",
    configs: Annotated[str, typer.Option("--configs", metavar="a,b,..", help="Configurations, with commas.")] = "a,b,c",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where finished rows are kept.")] = Path("build/bench"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what is kept from before.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write the table as Markdown too.")] = None,
    operators: Annotated[
        bool, typer.Option("--operators", help="Only what a deformable layer costs, form by form.")
    ] = False,
    json: Json = None,
) -> int:
    """Cycles, efficiency, traffic and speed per configuration, each frame compared with golden; resumes when killed."""
    from codesign.bench import RowStore, markdown_table, text_table
    from codesign.bench.table import bench_json
    from codesign.boards import load_board

    loaded = load_board(board)
    if operators:
        return _operators(loaded, json)
    wanted = _options(configs, board)
    rows = _rows(wanted, loaded, RowStore(out, loaded), fresh)
    say = console().print
    for line in text_table(rows, loaded):
        say(line)
    if markdown is not None:
        write_whole(markdown, markdown_table(rows, loaded))
    write_json(json, bench_json(rows, loaded))
    return 1 if any(row.mismatches for row in rows) else 0


def _operators(board: Board, json: Path | None) -> int:
    """Deformable layers alone, with random distances and pairs beside distance 1."""
    from dataclasses import asdict

    from codesign.bench.operators import FORMS, LAYERS, measure_operator

    library, costs, say = _simulator(board), [], console().print
    say("cycles a depthwise unit works or waits for the scratchpad, per layer; in brackets from first start to end")
    say(f"{'layer':<16}" + "".join(f"{form:>26}" for form in FORMS))
    for shape in LAYERS:
        cost = measure_operator(shape, board, library)
        cells = [
            f"{cost.cycles[form]:,} {cost.ratio(form) - 1:+.1%} ({cost.span[form]:,})" for form in FORMS
        ]
        say(f"{'x'.join(map(str, shape)):<16}" + "".join(f"{cell:>26}" for cell in cells))
        costs.append(cost)
    wrong = sum(cost.mismatches for cost in costs)
    say(f"d uniform over 0..7, pairs over -7..7, independent from pixel to pixel; {wrong} values differ from golden")
    write_json(json, {"board": board.name, "operators": [asdict(cost) for cost in costs]})
    return 1 if wrong else 0


def _options(configs: str, board: str) -> list[BuildOptions]:
    """Checked, each once."""
    from codesign.build import BuildOptions

    names = dict.fromkeys(name.strip() for name in configs.split(","))
    return [BuildOptions(board, name) for name in names]


def _rows(wanted: list[BuildOptions], board: Board, store: RowStore, fresh: bool) -> list[Row]:
    """Kept rows and, for the others, measurements; the simulator is built when the first needs it."""
    from codesign.bench import measure

    rows, library, say = [], None, console().print
    for number, options in enumerate(wanted, start=1):
        row = None if fresh else store.get(options)
        kept = "kept from before" if row else ""
        say(f"[{number}/{len(wanted)}] configuration {options.config} on {board.title} {kept}".rstrip())
        if row is None:
            library = library or _simulator(board)
            row = measure(options, board, library, _Printer())
            store.put(options, row)
            if row.mismatches:
                say(f"       {row.first_difference}", style="bold red")
        rows.append(row)
    return rows


def _simulator(board: Board) -> Path:
    """The board's accelerator, compiled once in the user's cache."""
    from codesign.api import simulator, verilog

    progress = _Printer()
    progress.stage("simulator (Verilator, g++)")
    library = simulator(verilog(board.accelerator), board.accelerator)
    progress.ended("simulator", "ready")
    return library


class _Printer(Progress):
    """A line per stage; a passing one while it runs where somebody watches."""

    def __init__(self) -> None:
        self._out = console()
        self._status = self._out.status("") if self._out.is_terminal else None

    def stage(self, name: str) -> None:
        if self._status:
            self._status.update(f"{name} ...")
            self._status.start()

    def ended(self, name: str, text: str) -> None:
        if self._status:
            self._status.stop()
        self._out.print(f"       {name:<{STAGE_WIDTH}} {text}")

    @contextmanager
    def cycles(self, predicted: int) -> Iterator[Callable[[int], None]]:
        total = max(1, predicted // 1000)
        with countdown(self._out, "simulating, thousand cycles", total) as report:
            yield lambda cycles: report(min(total, cycles // 1000))
