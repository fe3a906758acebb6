# SPDX-License-Identifier: Apache-2.0
"""Boards: what a device holds, how fast its memory is, and the accelerator's default shape on it.

A board is one TOML file; those that come with the package lie in ``boards/`` at the top. `tables` are the classes, `loader` reads
files.
"""

from codesign.boards.loader import FAMILIES, FOLDER, MAX_FILE_BYTES, TEMPLATES, known_boards, load_board
from codesign.boards.tables import TYPICAL, Board, Device, Dram, Ecp5, Vivado

__all__ = ["FAMILIES", "FOLDER", "MAX_FILE_BYTES", "TEMPLATES", "TYPICAL", "Board", "Device", "Dram", "Ecp5", "Vivado",
           "known_boards", "load_board"]  # fmt: skip
