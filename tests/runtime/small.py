# SPDX-License-Identifier: Apache-2.0
"""A small detector on a small virtual board: a frame takes some thousand cycles."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from codesign.boards import Board, load_board
from codesign.build.detector import decode_heads
from codesign.decode import Detections
from codesign.golden import image_codes, run
from codesign.graph.ir import Graph
from codesign.graph.rules import check
from codesign.lower.calibrate import Calibrator
from codesign.package import package_files, write_package
from codesign.plan import plan
from codesign.program.config import AcceleratorConfig
from codesign.virtual import VirtualBoard, simulator

#: As small as it can be, and the one tests/sim/test_accelerator_memory.py has: compiled once for both.
CONFIG = AcceleratorConfig(lanes=16, array_out=4, depthwise_units=1, spad_words=4096, depthwise_requant=1)
CLASSES, SIDE = 3, 32


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
def graph() -> Graph:
    """Stem, a depthwise layer and three heads on an 8 x 8 map."""
    noise = np.random.default_rng(7)
    cal = Calibrator(image_codes(pictures(1)[0]), noise)
    x = cal.add_conv("stem", "image", 8, bits=8, kernel=3, stride=4)
    x = cal.add_conv("depthwise", x, 8, bits=4, kernel=3, depthwise=True)
    outputs = {
        role: cal.add_conv(role, x, channels, bits=4, relu=False) for role, channels in (("hm", CLASSES), ("wh", 2), ("reg", 2))
    }
    made = cal.graph(outputs, {"labels": ["cat", "dog", "bird"], "trained": False, "act_bits": 8})
    check(made)
    return made


@cache
def program():
    return plan(graph(), CONFIG, board().dram).program


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    """uint8 RGB noise of two grains, so that peaks differ from picture to picture."""
    noise = np.random.default_rng(seed)
    coarse = noise.integers(0, 256, (count, SIDE // 4, SIDE // 4, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    return list((coarse // 2 + noise.integers(0, 128, (count, SIDE, SIDE, 3), np.uint8)).astype(np.uint8))


def golden(picture: np.ndarray) -> Detections:
    """What `codesign detect --on golden` finds."""
    values = run(graph(), image_codes(picture))
    return decode_heads(graph(), {role: values[name] for role, name in graph().outputs.items()})


def write(path: Path, **files: bytes) -> Path:
    """A package of the small detector."""
    write_package(path, package_files(graph(), program(), board()) | files)
    return path


def virtual_board(**options) -> VirtualBoard:
    return VirtualBoard(simulator(board()), board(), memory_bytes=1 << 20, **options)


def same(left: Detections, right: Detections) -> bool:
    """Equal to the last digit."""
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("boxes", "scores", "labels"))
