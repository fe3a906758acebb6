# SPDX-License-Identifier: Apache-2.0
"""Virtual boards by name; the simulator of a board is compiled once and kept in the user's cache."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

from codesign.boards import Board, load_board
from codesign.build.artefacts import source_hash, text_hash, write_whole
from codesign.errors import UserError
from codesign.runtime.faults import WrongAccelerator
from codesign.runtime.package import Package
from codesign.virtual.board import VirtualBoard

SOURCES = ("hw", "sim", "codesign/program")


def open_board(name: str, package: Package | None = None, library: Path | None = None) -> VirtualBoard:
    """The virtual board of ``name`` (as `load_board` takes it), which must be the one ``package`` was made for.

    ``library`` is its simulator where one is at hand. Raises `WrongAccelerator` where the package's accelerator is another.
    """
    board = load_board(name)
    if package is not None:
        own, theirs = asdict(board.accelerator), package.description.accelerator
        differ = [f"{key} {theirs.get(key)}, not {value}" for key, value in own.items() if theirs.get(key) != value]
        if differ:
            raise WrongAccelerator(f"the package is for another accelerator than {name}'s: {', '.join(differ[:3])}")
    return VirtualBoard(library or simulator(board), board)


def simulator(board: Board) -> Path:
    """The Verilated accelerator of ``board``; the first time takes minutes."""
    from sim.toolchain import cache_directory

    note = cache_directory() / "virtual" / f"{text_hash(board.accelerator, source_hash(*SOURCES))[:24]}.txt"
    with contextlib.suppress(OSError, ValueError):
        known = Path(note.read_text())
        if known.is_file():
            return known
    from hw.generate import verilog
    from sim.verilate import build

    library = build(verilog(board.accelerator, monitors=True), board.accelerator)
    with contextlib.suppress(UserError):  # found again by content next time
        write_whole(note, str(library))
    return library
