# SPDX-License-Identifier: Apache-2.0
"""`codesign report`: where the cycles of a build went, without simulating again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Json, build_report
from codesign.cli.output import BuildPrinter, write_json


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A build folder with a simulated frame, or a sweep's folder.")],
    json: Json = None,
) -> None:
    """Make charts, timeline, report.json and report.html of a build folder again, or report.html of a sweep."""
    from codesign.build.again import report_again

    if (folder / "sweep.db").is_file():
        _sweep(folder)
        return
    printer = BuildPrinter()
    try:
        result = report_again(folder, printer)
    finally:
        printer.close()
    if json is not None:
        write_json(json, build_report(result.folder))


def _sweep(folder: Path) -> None:
    """The page of a sweep's folder."""
    from codesign.build.artefacts import write_whole
    from codesign.cli.output import console
    from codesign.report.html.sweep_page import sweep_page
    from codesign.sweep.runner import BASE, PAGE
    from codesign.sweep.store import Store

    store = Store(folder / BASE)
    try:
        with store.rendered():
            page = sweep_page(store, (store.about("sweep") or {}).get("text", "")).encode()
    finally:
        store.close()
    write_whole(folder / PAGE, page)
    console().print(f"written: {folder / PAGE}")
