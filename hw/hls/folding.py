# SPDX-License-Identifier: Apache-2.0
"""How many products a kernel makes in a cycle, and what its loops then take: estimates, read off the loops' bounds.

No tool has scheduled these loops here: `cycles` counts the iterations of pipelined loops at II = 1, plus
`FILL` cycles each time such a loop is entered. Vivado HLS says what it really makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hw.hls.config import constants, filled

FILL = 6  # assumed depth of a pipelined loop: read, multiply, add, requantise
CONV, DEPTHWISE, DEFORM, POOL = "CodesignConv", "CodesignDepthwise", "CodesignDeform", "CodesignMaxPool"
UPSAMPLE = "CodesignUpsample"


def divisors(value: int) -> list[int]:
    """Of ``value``, rising."""
    return [n for n in range(1, value + 1) if value % n == 0]


def widest(kind: str, attributes: Mapping[str, Any]) -> int:
    """The most products a cycle: all of an output channel's (full), one tap of all channels (depthwise)."""
    a = filled(attributes)
    return int(constants({**a, "parallel": 1})["products"]) if kind == CONV else int(a["n_chan"])


def parallel_for(kind: str, attributes: Mapping[str, Any]) -> int:
    """``parallel`` as given, or the least that keeps a pixel within ``reuse_factor`` cycles; it must divide `widest`."""
    given = attributes.get("parallel", 1)
    if widest(kind, attributes) % given:
        raise ValueError(f"parallel {given} does not divide {widest(kind, attributes)}, the layer's products in a row")
    reuse = attributes.get("reuse_factor")
    return int(given) if given != 1 or not reuse or reuse == 1 else fold(kind, attributes, int(reuse))


def fold(kind: str, attributes: Mapping[str, Any], cycles_per_pixel: int) -> int:
    """The least ``parallel`` with which an output pixel takes at most that many cycles, or the widest."""
    choices = divisors(widest(kind, attributes))
    fitting = (n for n in choices if pixel_cycles(kind, {**attributes, "parallel": n}) <= cycles_per_pixel)
    return next(fitting, choices[-1])


def pixel_cycles(kind: str, attributes: Mapping[str, Any]) -> int:
    """Estimated cycles of one output pixel; 1 for layers that only move codes."""
    a = filled(attributes)
    values = constants(a)
    taps, products, parallel = int(values["taps"]), int(values["products"]), int(a["parallel"])
    if kind == CONV:
        gather = taps + FILL if taps > 1 else 1
        return gather + a["n_filt"] * products // parallel + FILL
    if kind in (DEPTHWISE, DEFORM):
        return a["n_chan"] // parallel * (taps + parallel + 2 * FILL)
    return taps + FILL if kind == POOL else 1


def cycles(kind: str, attributes: Mapping[str, Any]) -> int:
    """Estimated cycles of a frame in one layer: one for every word that is read, `pixel_cycles` for each written."""
    a = filled(attributes)
    values = constants(a)
    pixels = int(values["out_height"]) * int(values["out_width"])
    if kind == UPSAMPLE:
        return 4 * a["in_height"] * a["in_width"]
    if kind in (CONV, DEPTHWISE, DEFORM, POOL):
        return a["in_height"] * a["in_width"] + pixels * pixel_cycles(kind, a)
    return a["in_height"] * a["in_width"]


def multipliers(kind: str, attributes: Mapping[str, Any]) -> int:
    """Products of code and weight in a cycle."""
    return int(filled(attributes)["parallel"]) if kind in (CONV, DEPTHWISE, DEFORM) else 0


def memory_bits(kind: str, attributes: Mapping[str, Any]) -> dict[str, int]:
    """Bits of the ring of rows, and of weights and requantisation (4- or 8-bit weights, 69 bits a channel)."""
    a = filled(attributes)
    values = constants(a)
    ringless = kind in ("CodesignSlice", "CodesignShuffle") or (kind == CONV and values["taps"] == 1)
    rows = 0 if ringless else 1 if kind == UPSAMPLE else int(values["rows"])
    bits = {"ring": rows * a["in_width"] * a["n_chan"] * 8, "weights": 0}
    if multipliers(kind, a):
        per_channel = math.prod((int(values["taps"]), a["n_chan"] if kind == CONV else 1)) * int(a["weight_bits"])
        bits["weights"] = int(a["n_filt"]) * (per_channel + 69)
    return bits
