# SPDX-License-Identifier: Apache-2.0
"""A Zynq board under PYNQ (https://github.com/Xilinx/PYNQ, 2.6 and later): overlay, MMIO, contiguous memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from typing import Any

import numpy as np

from codesign.runtime.device import Buffer
from codesign.runtime.faults import DriverError, PackageError, WrongAccelerator
from codesign.runtime.package import OVERLAY, Package

IP_NAME = "codesign_accelerator"


def _pynq() -> Any:
    try:
        import importlib

        return importlib.import_module("pynq")
    except ImportError:
        raise DriverError("pynq is not installed: this runs on a PYNQ board; elsewhere set CODESIGN_BOARD=sim:pynq-z2") from None


class PynqBuffer(Buffer):
    """Memory of pynq.allocate, flushed and invalidated in parts."""

    def __init__(self, buffer: Any):
        super().__init__(int(buffer.device_address), buffer)
        self._whole = buffer

    @property
    def array(self) -> np.ndarray:
        return np.asarray(super().array)

    def _flush(self, part: np.ndarray, start: int, stop: int) -> None:
        self._whole[start:stop].flush()

    def _invalidate(self, part: np.ndarray, start: int, stop: int) -> None:
        self._whole[start:stop].invalidate()

    def _free(self) -> None:
        self._whole.freebuffer()


class PynqDevice:
    """The overlay in ``bitfile`` (its .hwh beside it), whose accelerator must lie at ``control`` (address, bytes)."""

    def __init__(self, bitfile: str, control: tuple[int, int] | None = None):
        pynq = _pynq()
        overlay = pynq.Overlay(bitfile)
        found = [ip for ip in overlay.ip_dict.values() if IP_NAME in str(ip.get("type", ""))]
        if len(found) != 1:
            raise WrongAccelerator(f"{bitfile} holds {len(found)} accelerators called {IP_NAME}; it must hold one")
        address, size = int(found[0]["phys_addr"]), int(found[0]["addr_range"])
        if control is not None and (address, size) != control:
            raise WrongAccelerator(
                f"the overlay's accelerator is at {address:#x} ({size} bytes), the package's at {control[0]:#x} ({control[1]})"
            )
        self._pynq, self._overlay, self._folder = pynq, overlay, ""
        self._registers = pynq.MMIO(address, size)

    @classmethod
    def from_package(cls, package: Package) -> PynqDevice:
        """The overlay in the package. Raises `PackageError` where it has none."""
        bit, hwh = (package.files.get(OVERLAY + suffix) for suffix in (".bit", ".hwh"))
        if bit is None or hwh is None:
            raise PackageError("the package holds no overlay: build it where Vivado is on the PATH, then package it again")
        _pynq()
        folder = tempfile.mkdtemp(prefix="codesign-")
        try:
            for suffix, content in ((".bit", bit), (".hwh", hwh)):
                with open(os.path.join(folder, f"codesign{suffix}"), "wb") as handle:
                    handle.write(content)
            device = cls(os.path.join(folder, "codesign.bit"), package.description.control)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        device._folder = folder
        return device

    def register_read(self, offset: int) -> int:
        return int(self._registers.read(int(offset)))

    def register_write(self, offset: int, value: int) -> None:
        self._registers.write(int(offset), int(value))

    def allocate(self, size: int) -> Buffer:
        try:
            buffer = self._pynq.allocate(shape=(size,), dtype=np.uint8)
        except (MemoryError, RuntimeError, OSError) as error:
            raise DriverError(f"{size} bytes of contiguous memory are not free ({error}); free other buffers") from None
        if buffer.device_address % 128 or buffer.device_address + size > 1 << 32:
            raise DriverError(f"contiguous memory at {buffer.device_address:#x}: must lie below 4 GiB at a multiple of 128")
        buffer[:] = 0
        return PynqBuffer(buffer)

    def now(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""
