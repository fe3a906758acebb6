# SPDX-License-Identifier: Apache-2.0
"""What is placed and routed on its own, in the board's shape and in the form that is synthesised."""

from __future__ import annotations

from typing import Any

from codesign.boards import Board

#: name -> what it is
ENGINES = {
    "requantiser": "one lane of requantisation",
    "load": "the load engine",
    "store": "the store engine",
    "dispatcher": "the program's reader",
    "scratchpad": "banks and crossbar, every client's port",
    "depthwise": "one depthwise unit",
    "pointwise": "the pointwise engine with its array",
    "accelerator": "everything, with control and AXI ports",
}
PIECES = tuple(name for name in ENGINES if name != "accelerator")


def component(name: str, board: Board) -> Any:
    """The Amaranth component called ``name``, a key of `ENGINES`: as the accelerator has it, in the form that
    `codesign build` synthesises for the board's device."""
    from codesign.build.worker import array_layout
    from hw.requantise import Requantiser
    from hw.top import Accelerator

    if name == "requantiser":
        return Requantiser(board.accelerator.acc_bits, skewed=True)
    whole = Accelerator(board.accelerator, layout=array_layout(board))
    pointwise, depthwise, *_ = whole.computing
    engines = {"accelerator": whole, "pointwise": pointwise, "depthwise": depthwise}
    return engines.get(name) or getattr(whole, name)
