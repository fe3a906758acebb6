# SPDX-License-Identifier: Apache-2.0
"""What the C simulation runs: the build's own input and, the same ones every time, held-out digit scenes (random codes
where the network does not take pictures)."""

from __future__ import annotations

import numpy as np

from codesign.build.network_input import pixel_codes, random_codes
from codesign.build.pictures import held_out_scene
from codesign.build.step import Context

PICTURES = 24


def picture_codes(context: Context) -> list[np.ndarray]:
    """`PICTURES` inputs as codes int8 (C, H, W); the first is the build's."""
    channels, height, width = context.graph.input.shape
    numbers = range(1, PICTURES)
    if channels != 3:
        return [context.codes, *(random_codes(context.graph, number) for number in numbers)]
    return [context.codes, *(pixel_codes(held_out_scene(height, width, number), context.graph) for number in numbers)]
