# SPDX-License-Identifier: Apache-2.0
"""The tiny detector: stem, a depthwise layer and three heads. A frame takes some thousand cycles on any accelerator."""

from __future__ import annotations

from functools import cache

import numpy as np

from codesign.boards import Board
from codesign.build.detector import decode_heads
from codesign.decode import Detections
from codesign.golden import image_codes, run
from codesign.graph.ir import Graph
from codesign.graph.rules import check
from codesign.lower.calibrate import Calibrator
from codesign.plan import plan
from codesign.program.program import Program

CLASSES, SIDE = 3, 32
LABELS = ("cat", "dog", "bird")


@cache
def graph() -> Graph:
    """32 x 32 in, heads of 8 x 8."""
    cal = Calibrator(image_codes(pictures(1)[0]), np.random.default_rng(7))
    x = cal.add_conv("stem", "image", 8, bits=8, kernel=3, stride=4)
    x = cal.add_conv("depthwise", x, 8, bits=4, kernel=3, depthwise=True)
    outputs = {
        role: cal.add_conv(role, x, channels, bits=4, relu=False) for role, channels in (("hm", CLASSES), ("wh", 2), ("reg", 2))
    }
    made = cal.graph(outputs, {"labels": list(LABELS), "trained": False, "act_bits": 8})
    check(made)
    return made


def program(board: Board) -> Program:
    """The detector on the board's accelerator."""
    return plan(graph(), board.accelerator, board.dram).program


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    """uint8 RGB noise of two grains, so that peaks differ from picture to picture."""
    noise = np.random.default_rng(seed)
    coarse = noise.integers(0, 256, (count, SIDE // 4, SIDE // 4, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    return list((coarse // 2 + noise.integers(0, 128, (count, SIDE, SIDE, 3), np.uint8)).astype(np.uint8))


def golden(picture: np.ndarray) -> Detections:
    """What the golden model finds."""
    values = run(graph(), image_codes(picture))
    return decode_heads(graph(), {role: values[name] for role, name in graph().outputs.items()})


def same(left: Detections, right: Detections) -> bool:
    """Equal to the last digit."""
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("boxes", "scores", "labels"))
