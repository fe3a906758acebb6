# SPDX-License-Identifier: Apache-2.0
"""The pictures the C simulation runs: the build's own and held-out digit scenes, the same ones every time."""

from __future__ import annotations

import numpy as np

from codesign.build.pictures import held_out_scene, load_picture
from codesign.build.step import IMAGE, Context

PICTURES = 24


def pictures(context: Context) -> list[np.ndarray]:
    """`PICTURES` pictures uint8 (H, W, 3) of the network's size; the first is the build's."""
    _, height, width = context.graph.input.shape
    first = load_picture(context.path(IMAGE), height, width)
    return [first, *(held_out_scene(height, width, number) for number in range(1, PICTURES))]
