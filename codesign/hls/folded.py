# SPDX-License-Identifier: Apache-2.0
"""How parallel each layer's kernel is: as little hardware as keeps every layer within the slowest one's frame time."""

from __future__ import annotations

from typing import Any

from codesign.hls.layer_list import LayerList
from hw.hls.folding import CONV, DEFORM, DEPTHWISE, cycles, divisors, widest

_WEIGHTED = (CONV, DEPTHWISE, DEFORM)
LONGEST_DOT = 32  # products a cycle of one kernel, so that no layer becomes an array of its own


def fold_layers(layers: LayerList, frame_cycles: int) -> LayerList:
    """The same layers with ``parallel`` set: the least with which a layer's frame takes at most ``frame_cycles``."""
    return LayerList([_folded(layer, frame_cycles) for layer in layers.layers], layers.names, layers.output, layers.outputs)


def _folded(layer: dict[str, Any], frame_cycles: int) -> dict[str, Any]:
    kind = layer["class_name"]
    if kind not in _WEIGHTED:
        return layer
    choices = [n for n in divisors(widest(kind, layer)) if n <= LONGEST_DOT]
    parallel = next((n for n in choices if cycles(kind, {**layer, "parallel": n}) <= frame_cycles), choices[-1])
    return {**layer, "parallel": parallel}
