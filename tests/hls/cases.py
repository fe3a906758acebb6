# SPDX-License-Identifier: Apache-2.0
"""Random layers: golden's node, its inputs and the kernel's case, from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.golden import run_node
from codesign.graph.ir import Conv, DeformConv, MaxPool, Node, Requant, Shuffle, Slice, Upsample
from codesign.hls.attributes import node_attributes, parameters
from hw.hls.folding import CONV, divisors, widest
from tests.hls.kernels import Case


@dataclass(frozen=True)
class Trial:
    """``inputs`` are codes (C, H, W); ``zeros`` their zero points; ``arrays`` what the kernel takes beside them."""

    case: Case
    node: Node
    inputs: list[np.ndarray]
    zeros: list[int]
    arrays: list[np.ndarray]

    def golden(self) -> np.ndarray:
        """What the golden model makes of it."""
        return run_node(self.node, self.inputs, self.zeros)


def requant(rng: np.random.Generator, weight: np.ndarray) -> Requant:
    """Uneven channels: gains over six binary orders, exact halves, a dead channel, biases of up to 2**46."""
    channels = weight.shape[0]
    multiplier = rng.integers(2**15, 2**16, channels)
    multiplier[rng.random(channels) < 0.3] = 2**15  # with any shift: many exact halves
    spread = np.abs(weight.reshape(channels, -1).astype(int)).sum(axis=1) * 40 + 1
    shift = np.clip(15 + np.log2(spread / 64).round().astype(int) + rng.integers(-3, 4, channels), 8, 31)
    bias = rng.integers(-(2**15), 2**15, channels) << shift >> 8
    if channels > 2:
        multiplier[0], shift[0] = 0, 31
        multiplier[1], shift[1], bias[1] = int(rng.integers(1, 2**15)), 31, int(rng.integers(-(2**46), 2**46))
    lo, hi = sorted(rng.integers(-128, 128, 2).tolist()) if rng.random() < 0.3 else (-128, 127)
    return Requant(multiplier, shift, bias, int(rng.integers(-128, 128)), lo, hi)


def weights(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Codes over the whole range of ``bits``."""
    return rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(np.int8)


def codes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """int8 codes, ends included."""
    return rng.integers(-128, 128, shape).astype(np.int8)


def trial(kind: str, shape: tuple[int, int, int], seed: int, **how: Any) -> Trial:
    """A layer of ``kind`` on an input (C, H, W); ``how`` is its kernel, stride, pad, bits, bound, form, filters."""
    rng = np.random.default_rng(seed)
    node, inputs = _node(kind, shape, rng, how)
    zeros = [int(rng.integers(-128, 128)), 0]
    attributes = node_attributes(node, shape, zeros[0])
    arrays = list(parameters(node)) if attributes.kind[8:] in ("Conv", "Depthwise", "Deform") else []
    values = dict(attributes.values)
    if arrays:
        choices = divisors(widest(attributes.kind, values))
        values["parallel"] = choices[int(rng.integers(len(choices)))]
        values["weights"] = arrays[0].size
    return Trial(Case(_FUNCTIONS[kind], values, 0 if len(inputs) < 2 else inputs[1].shape[0], bool(arrays)), node, inputs, zeros, arrays)


_FUNCTIONS = {"pointwise": "conv_1x1", "conv": "conv", "depthwise": "depthwise", "square": "deform_depthwise",
              "pairs": "deform_depthwise", "max_pool": "max_pool", "slice": "slice", "shuffle": "shuffle",
              "upsample": "upsample"}  # fmt: skip
assert CONV == "CodesignConv"


def _node(kind: str, shape: tuple[int, int, int], rng: np.random.Generator, how: dict[str, Any]) -> tuple[Node, list[np.ndarray]]:
    channels, height, width = shape
    data = codes(rng, *shape)
    kernel, stride, pad = how.get("kernel", 3), how.get("stride", 1), how.get("pad", 1)
    bits = how.get("bits", 4)
    if kind in ("pointwise", "conv"):
        kernel, stride, pad = (1, 1, 0) if kind == "pointwise" else (kernel, stride, pad)
        weight = weights(rng, (how.get("filters", 3), channels, kernel, kernel), bits)
        return Conv(kind, ("x",), "y", weight, bits, requant(rng, weight), stride, pad), [data]
    if kind == "depthwise":
        weight = weights(rng, (channels, 1, kernel, kernel), bits)
        return Conv(kind, ("x",), "y", weight, bits, requant(rng, weight), stride, pad, channels), [data]
    if kind in ("square", "pairs"):
        bound = how.get("bound", 7)
        weight = weights(rng, (channels, 1, kernel, kernel), bits)
        least, count = (0, 1) if kind == "square" else (-bound, 2 * kernel * kernel)
        offsets = rng.integers(least, bound + 1, (count, height, width)).astype(np.int8)
        if how.get("at_bound"):
            offsets[:] = np.where(rng.random(offsets.shape) < 0.5, bound, least)
        return DeformConv(kind, ("x", "d"), "y", weight, bits, requant(rng, weight), kind, bound), [data, offsets]
    if kind == "max_pool":
        return MaxPool(kind, ("x",), "y", kernel, stride, pad), [data]
    if kind == "slice":
        start = int(rng.integers(channels))
        return Slice(kind, ("x",), "y", start, int(rng.integers(start + 1, channels + 1))), [data]
    return (Shuffle(kind, ("x",), "y", how["groups"]) if kind == "shuffle" else Upsample(kind, ("x",), "y")), [data]
