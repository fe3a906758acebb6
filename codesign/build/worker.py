# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.build.worker BOARD FILE``: the form of the accelerator to synthesise, as Verilog."""

from __future__ import annotations

import sys
from pathlib import Path

from codesign.boards import Board, load_board
from codesign.build.artefacts import write_whole


def packed_outputs(board: Board) -> int:
    """Array outputs whose multipliers share DSPs two by two: as many as the device's DSPs allow, at most 3/4.

    Requantisers and address arithmetic take theirs first; the rest of the array, and depthwise units, are LUTs.
    """
    config = board.accelerator
    others = config.array_out + config.depthwise_requant * config.depthwise_units + 2 * config.depthwise_units + 2
    room = 2 * (board.device.dsp - others) // config.lanes
    return max(0, min(room, config.array_out * 3 // 4)) // 2 * 2


def main() -> None:
    from hw.generate import verilog

    board = load_board(sys.argv[1])
    write_whole(Path(sys.argv[2]), verilog(board.accelerator, packed_outputs=packed_outputs(board)))


if __name__ == "__main__":
    main()
