# SPDX-License-Identifier: Apache-2.0
"""`codesign package`: a build as one zip that the driver runs on a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Config, Model
from codesign.cli.output import BuildPrinter, console


def package_command(
    folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="A build folder; left out: build up to the plan.")] = None,
    board: Annotated[str | None, typer.Option("--board", metavar="NAME|FILE", help="Without a folder: the board; default pynq-z2.")] = None,
    config: Config = "b",
    model: Model = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The zip to write.")] = Path("detector.zip"),
) -> None:
    """Write a deployment zip: program, weights, register and memory map, driver, labels, overlay, checksums."""
    from codesign.build import BuildOptions
    from codesign.errors import UserError
    from codesign.package.source import built, package, planned

    if folder is not None and model is not None:
        raise UserError("--model has no meaning beside a build folder; leave one of them out")
    if folder is not None and board is not None:
        raise UserError(f"--board {board}: {folder} was built for its own board; leave --board out, or build for {board}")
    printer = BuildPrinter(details=False)
    try:
        context = built(folder) if folder is not None else planned(BuildOptions(board or "pynq-z2", config, model), printer)
        size, overlay = package(context, out)
    finally:
        printer.close()
    missing = "" if overlay else "; no overlay in it: no bitstream was built (Vivado)"
    console().print(f"{out}: {size:,} bytes for {context.board.name}{missing}")
