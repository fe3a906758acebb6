# SPDX-License-Identifier: Apache-2.0
"""`codesign report`: where the cycles of a build went, without simulating again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Json, build_report
from codesign.cli.output import BuildPrinter, write_json


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A build folder with a simulated frame.")],
    json: Json = None,
) -> None:
    """Print where the cycles went; make charts, timeline and report.json of a build folder again."""
    from codesign.build.again import report_again

    printer = BuildPrinter()
    try:
        result = report_again(folder, printer)
    finally:
        printer.close()
    if json is not None:
        write_json(json, build_report(result.folder))
