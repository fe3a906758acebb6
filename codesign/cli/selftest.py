# SPDX-License-Identifier: Apache-2.0
"""`codesign selftest`: random operations of the driver on a virtual board."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Json
from codesign.cli.output import console, counted, write_json

if TYPE_CHECKING:
    from codesign.selftest import Tally

VIRTUAL = "sim:"
MEMORY_BYTES = 1 << 20


def selftest_command(
    board: Annotated[str, typer.Option("--board", metavar="sim:NAME|sim:FILE", help="The virtual board.")] = "sim:pynq-z2",
    operations: Annotated[int, typer.Option("--operations", min=1, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which operations.")] = 1,
    json: Json = None,
) -> int:
    """Start, poll, reset mid-frame, wrong sizes, freed buffers, AXI errors and stalls; every frame must equal golden."""
    from codesign.boards import load_board
    from codesign.package import package_files, write_package
    from codesign.selftest import Wrong, campaign, network
    from codesign.virtual import VirtualBoard, simulator

    loaded, say = load_board(board.removeprefix(VIRTUAL)), console().print
    library, began = simulator(loaded), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="codesign-") as folder, counted("operations", operations) as advance:
        package = Path(folder) / "selftest.zip"
        write_package(package, package_files(network.graph(), network.program(loaded), loaded))
        try:
            tally = campaign(
                package,
                lambda stall, number: VirtualBoard(library, loaded, stall, number, MEMORY_BYTES),
                operations,
                seed,
                lambda _: advance(),
            )
        except Wrong as error:
            say(f"wrong: {error} (--seed {seed} --operations {operations} shows it again)", style="bold red")
            write_json(json, {"board": loaded.name, "seed": seed, "wrong": str(error)})
            return 1
    _show(tally, loaded.title, time.monotonic() - began)
    write_json(json, {"board": loaded.name, "seed": seed, "wrong": None, "operations": dict(tally.operations),
                      "frames": tally.frames, "reported": dict(tally.reported), "cycles": tally.cycles})  # fmt: skip
    return 0


def _show(tally: Tally, title: str, seconds: float) -> None:
    say = console().print
    for name, count in sorted(tally.operations.items()):
        say(f"{name.replace('_', ' '):<32}{count:>6}")
    say("reported by the driver:")
    for name, count in sorted(tally.reported.items()):
        say(f"  {name:<30}{count:>6}")
    say(
        f"{tally.total} operations on the virtual {title}: no hang, {tally.frames} frames all equal to golden, every fault with "
        f"its code; {tally.cycles:,} cycles simulated in {seconds:.0f} s"
    )
