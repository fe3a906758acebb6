# SPDX-License-Identifier: Apache-2.0
"""PynqDevice on a stand-in for the pynq package whose overlay is the virtual board. The real package is not installed here."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from codesign.boards import load_board
from codesign.package import package_files
from codesign.runtime import Detector, DriverError, PackageError, WrongAccelerator
from codesign.virtual import VirtualBoard
from tests.runtime import small

ADDRESS, BYTES = load_board("pynq-z2").vivado.control_address, load_board("pynq-z2").vivado.control_bytes


class FakeBuffer(np.ndarray):
    """As pynq.buffer.PynqBuffer: an array that knows its physical address, slices included."""

    def __new__(cls, buffer) -> FakeBuffer:
        self = buffer.array.view(cls)
        self.owner, self.start = buffer, 0
        return self

    def __array_finalize__(self, parent) -> None:
        if isinstance(parent, FakeBuffer) and hasattr(parent, "owner"):
            self.owner = parent.owner
            address = self.__array_interface__["data"][0]
            self.start = parent.start + address - parent.__array_interface__["data"][0]

    @property
    def device_address(self) -> int:
        return self.owner.address + self.start

    def flush(self) -> None:
        self.owner.flush(self.start, self.start + self.nbytes)

    def invalidate(self) -> None:
        self.owner.invalidate(self.start, self.start + self.nbytes)

    def freebuffer(self) -> None:
        self.owner.free()


@pytest.fixture
def pynq(board: VirtualBoard, monkeypatch) -> types.ModuleType:
    """The package's names that the driver uses."""
    module = types.ModuleType("pynq")
    module.loaded, module.address, module.kind = [], ADDRESS, "xilinx.com:module_ref:codesign_accelerator_axi:1.0"

    class Overlay:
        def __init__(self, bitfile: str):
            module.loaded.append((Path(bitfile).read_bytes(), Path(bitfile).with_suffix(".hwh").read_bytes(), Path(bitfile)))
            self.ip_dict = {"accelerator": {"type": module.kind, "phys_addr": module.address, "addr_range": BYTES}, "ps": {"type": "ps7"}}

    class MMIO:
        def __init__(self, address: int, size: int):
            assert (address, size) == (ADDRESS, BYTES)

        def read(self, offset: int) -> int:
            return board.register_read(offset)

        def write(self, offset: int, value: int) -> None:
            board.register_write(offset, value)

    module.Overlay, module.MMIO = Overlay, MMIO
    module.allocate = lambda shape, dtype: FakeBuffer(board.allocate(*shape))
    monkeypatch.setitem(sys.modules, "pynq", module)
    monkeypatch.setattr("time.sleep", lambda seconds: board.pause(max(seconds, 1e-5)))
    monkeypatch.delenv("CODESIGN_BOARD", raising=False)
    return module


@pytest.fixture
def with_overlay(tmp_path: Path) -> Path:
    overlay = {".bit": b"bits", ".hwh": b"<hwh/>"}
    return small.write(tmp_path / "overlay.zip", **package_files(small.graph(), small.program(), small.board(), overlay=overlay))


def test_the_same_driver_on_pynq(pynq, with_overlay: Path) -> None:
    with Detector.from_package(str(with_overlay)) as detector:
        for picture in small.pictures(2):
            assert small.same(detector.detect(picture), small.golden(picture))
        pictures = small.pictures(3, 4)
        assert all(small.same(f, small.golden(p)) for f, p in zip(detector.stream(pictures), pictures, strict=True))
    bit, hwh, path = pynq.loaded[0]
    assert (bit, hwh) == (b"bits", b"<hwh/>")
    assert not path.parent.exists(), "the unpacked overlay is removed"


def test_a_package_without_overlay_says_how_to_get_one(pynq, package: Path) -> None:
    with pytest.raises(PackageError, match="Vivado"):
        Detector.from_package(str(package))


def test_another_address_map_or_overlay_is_refused(pynq, with_overlay: Path) -> None:
    pynq.address = ADDRESS + 0x1000
    with pytest.raises(WrongAccelerator, match="0x43c01000"):
        Detector.from_package(str(with_overlay))
    pynq.kind = "something else"
    with pytest.raises(WrongAccelerator, match="holds 0 accelerators"):
        Detector.from_package(str(with_overlay))


def test_without_pynq_the_remedy_is_named(with_overlay: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(DriverError, match="CODESIGN_BOARD=sim:pynq-z2"):
        Detector.from_package(str(with_overlay), "pynq")
    with pytest.raises(DriverError, match="unknown device 'zynq'"):
        Detector.from_package(str(with_overlay), "zynq")


def test_the_virtual_board_by_name(package: Path, tmp_path: Path, monkeypatch) -> None:
    """The package is for the small accelerator: the board's own is another, and is refused before anything is compiled."""
    monkeypatch.setenv("CODESIGN_BOARD", "sim:pynq-z2")
    with pytest.raises(WrongAccelerator, match="lanes 16, not 32"):
        Detector.from_package(str(package))
    file = small.board_file(tmp_path)
    assert load_board(file).accelerator == small.CONFIG
    with Detector.from_package(str(package), f"sim:{file}") as detector:
        picture = small.pictures(1)[0]
        assert small.same(detector.detect(picture), small.golden(picture))
