# SPDX-License-Identifier: Apache-2.0
"""`codesign disasm`: a program as text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def disasm_command(
    program: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="program.bin, or the build folder it lies in.")],
    board: Annotated[str, typer.Option("--board", help="The board it was planned for (names the engines).")] = "pynq-z2",
) -> None:
    """Print one line per instruction."""
    from codesign.boards import load_board
    from codesign.bounded import MIB, read_bytes
    from codesign.errors import UserError
    from codesign.program.disasm import disassemble

    path = program / "program.bin" if program.is_dir() else program
    if not path.is_file():
        raise UserError(f"{path}: no such program; `codesign build` writes one")
    for line in disassemble(read_bytes(path, 256 * MIB), load_board(board).accelerator.engines):
        print(line)
