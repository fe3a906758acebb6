# SPDX-License-Identifier: Apache-2.0
"""Devices by name: "pynq" is the board this runs on, "sim:BOARD" the Verilated accelerator of a board."""

from __future__ import annotations

import importlib
import os

from codesign.runtime.device import Device
from codesign.runtime.faults import DriverError
from codesign.runtime.package import Package

VARIABLE = "CODESIGN_BOARD"
SIMULATED = "sim:"


def open_device(name: str | None, package: Package) -> Device:
    """The device of that name, or of the environment's CODESIGN_BOARD, ready for ``package``. Raises a `DriverError`."""
    name = name or os.environ.get(VARIABLE) or "pynq"
    if name == "pynq":
        from codesign.runtime.pynq import PynqDevice

        return PynqDevice.from_package(package)
    if name.startswith(SIMULATED):
        try:  # by name: a board has neither simulator nor generator
            virtual = importlib.import_module("codesign.virtual")
        except ImportError as error:
            raise DriverError(f"device {name!r} needs codesign with its simulator: {error}") from None
        device: Device = virtual.open_board(name[len(SIMULATED) :], package)
        return device
    raise DriverError(f"unknown device {name!r}; give pynq, or sim:BOARD for the virtual board")
