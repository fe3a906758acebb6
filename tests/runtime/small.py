# SPDX-License-Identifier: Apache-2.0
"""A small detector on a small virtual board: a frame takes some thousand cycles."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from codesign.boards import Board, load_board
from codesign.package import package_files, write_package
from codesign.program.config import AcceleratorConfig
from codesign.selftest import network
from codesign.selftest.network import golden, graph, pictures, same
from codesign.virtual import VirtualBoard, simulator

#: As small as it can be, and the one tests/sim/test_accelerator_memory.py has: compiled once for both.
CONFIG = AcceleratorConfig(lanes=16, array_out=4, depthwise_units=1, spad_words=4096, depthwise_requant=1)
__all__ = ["CONFIG", "board", "board_file", "golden", "graph", "pictures", "program", "same", "simulators_from_cache", "virtual_board", "write"]


@cache
def board() -> Board:
    return replace(load_board("pynq-z2"), accelerator=CONFIG)


def board_file(folder: Path) -> Path:
    """The same board as a user's own file."""
    shipped = load_board("pynq-z2").path.read_text().split("[accelerator]")[0].replace('"pynq-z2"', '"small"')
    settings = "".join(f"{key} = {value}\n" for key, value in asdict(CONFIG).items())
    (folder / "small.toml").write_text(f"{shipped}[accelerator]\n{settings}")
    return folder / "small.toml"


@cache
def program():
    return network.program(board())


def write(path: Path, **files: bytes) -> Path:
    """A package of the small detector."""
    write_package(path, package_files(graph(), program(), board()) | files)
    return path


def virtual_board(**options) -> VirtualBoard:
    return VirtualBoard(simulator(board()), board(), memory_bytes=1 << 20, **options)


def simulators_from_cache(monkeypatch) -> None:
    """`codesign build` takes compiled simulators from the user's cache, or puts them there."""
    import sim.verilate

    build = sim.verilate.build

    def cached(verilog, config, folder, log):
        library = build(verilog, config, None, log)
        Path(folder).mkdir(parents=True, exist_ok=True)
        here = Path(folder).resolve() / library.parent.name
        if not here.exists():
            here.symlink_to(library.parent)
        return here / library.name

    monkeypatch.setattr(sim.verilate, "build", cached)
