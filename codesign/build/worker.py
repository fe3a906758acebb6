# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.build.worker BOARD FILE``: the form of the accelerator to synthesise, as Verilog."""

from __future__ import annotations

import sys
from pathlib import Path

from codesign.boards import Board, load_board
from codesign.build.artefacts import write_whole
from hw.multipliers import Multipliers, multipliers

#: Families whose DSPs take a DSP48E1 as it is written (Vivado retargets it on UltraScale+).
_DSP48 = ("xc7", "xcup")


def array_layout(board: Board) -> Multipliers:
    """The layout of the pointwise array that fills the device's DSPs."""
    return multipliers(board.accelerator, board.device.dsp, primitives=board.device.family in _DSP48)


def main() -> None:
    from hw.generate import verilog

    board = load_board(sys.argv[1])
    write_whole(Path(sys.argv[2]), verilog(board.accelerator, layout=array_layout(board)))


if __name__ == "__main__":
    main()
