# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.ecp5.worker BOARD FILE``: the self test of a board's accelerator, as Verilog to synthesise."""

from __future__ import annotations

import sys
from pathlib import Path

from codesign.boards import load_board
from codesign.build.artefacts import write_whole
from codesign.build.unify import unify
from codesign.build.worker import array_layout
from codesign.ecp5.frame import tiny_frame
from codesign.ecp5.top import SELF_TEST


def main() -> None:
    from hw.generate import short_clears
    from hw.self_test import SelfTest
    from hw.top import Accelerator
    from sim.bench import to_verilog

    board = load_board(sys.argv[1])
    component = SelfTest(Accelerator(board.accelerator, layout=array_layout(board)), tiny_frame(board))
    write_whole(Path(sys.argv[2]), unify(short_clears(to_verilog(component, SELF_TEST))))


if __name__ == "__main__":
    main()
