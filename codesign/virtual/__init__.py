# SPDX-License-Identifier: Apache-2.0
"""The virtual board: the Verilated accelerator behind the driver's own device interface."""

from codesign.virtual.board import VirtualBoard
from codesign.virtual.opening import open_board, simulator

__all__ = ["VirtualBoard", "open_board", "simulator"]
