# SPDX-License-Identifier: Apache-2.0
"""``python -m codesign.timing.worker BOARD ENGINE FILE``: one engine between registers, as Verilog."""

from __future__ import annotations

import sys
from pathlib import Path

from codesign.boards import load_board
from codesign.build.artefacts import write_whole
from codesign.build.unify import unify
from codesign.timing.engines import component
from codesign.timing.wrapper import ENGINE, wrapped


def main() -> None:
    from hw.generate import short_clears
    from sim.bench import to_verilog

    board, engine, file = sys.argv[1:]
    text = to_verilog(component(engine, load_board(board)), ENGINE)
    write_whole(Path(file), wrapped(unify(short_clears(text))))


if __name__ == "__main__":
    main()
