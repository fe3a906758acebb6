# SPDX-License-Identifier: Apache-2.0
"""What is placed and routed on its own, in the board's shape and in the form that is synthesised."""

from __future__ import annotations

from collections.abc import Callable
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
    """The Amaranth component called ``name``, a key of `ENGINES`."""
    config = board.accelerator
    clients = config.depthwise_units + 2
    makers: dict[str, Callable[[], Any]] = {
        "requantiser": lambda: _class("hw.requantise", "Requantiser")(config.acc_bits, skewed=True),
        "load": lambda: _class("hw.load", "Load")(config),
        "store": lambda: _class("hw.store", "Store")(config),
        "dispatcher": lambda: _class("hw.dispatcher", "Dispatcher")(config),
        "scratchpad": lambda: _class("hw.scratchpad", "Scratchpad")(config, readers=clients, writers=clients),
        "depthwise": lambda: _class("hw.depthwise", "Depthwise")(config),
        "pointwise": lambda: _class("hw.pointwise", "Pointwise")(config, **_form(board)),
        "accelerator": lambda: _class("hw.top", "Accelerator")(config, **_form(board)),
    }
    return makers[name]()


def _form(board: Board) -> dict[str, Any]:
    """How the array's multipliers are laid out for the board's device, as `codesign build` synthesises them."""
    from codesign.build.worker import packed_outputs

    return {"packed_outputs": packed_outputs(board)}


def _class(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(module), name)
