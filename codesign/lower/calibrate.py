# SPDX-License-Identifier: Apache-2.0
"""Builds an untrained graph node by node: random weights, and a requantisation chosen from the values seen.

Every node is run as it is added, so its accumulators on one picture are known, and each channel's multiplier and
constant are chosen as batch normalisation would: mean and spread per channel, times a random gain, plus a random
shift. No tensor then sits at one code.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from codesign.golden import accumulate, run_node
from codesign.graph.ir import Add, Conv, DeformConv, GlobalAveragePool, Graph, Node, Requant, Tensor
from codesign.nn.layer_bits import LayerBits, bits_of
from codesign.numeric import (
    ACC_BITS,
    CODE_MAX,
    CODE_MIN,
    IMAGE_SCALE,
    IMAGE_ZERO_POINT,
    accumulator_bounds,
    add_parameters,
    normalise_multiplier,
    prove_accumulator,
    prove_scaled,
)

RELU_SCALE = 1 / 40  # 40 codes for one standard deviation
SIGNED_SCALE = 1 / 32
UNCHOSEN = Requant(np.zeros(1, np.int64), np.full(1, 31), np.zeros(1, np.int64), 0)
_SPREAD = {4: 3.0, 8: 45.0}


class Calibrator:
    """A graph under construction. ``values`` and ``tensors`` are by name; ``add_*`` return the output's name."""

    def __init__(
        self, image: np.ndarray, rng: np.random.Generator, zero_point: int = IMAGE_ZERO_POINT, layer_bits: LayerBits = ()
    ) -> None:
        self.rng, self.layer_bits = rng, layer_bits
        self.input = Tensor("image", tuple(image.shape), IMAGE_SCALE, zero_point)
        self.tensors: dict[str, Tensor] = {"image": self.input}
        self.values: dict[str, np.ndarray] = {"image": image}
        self.nodes: list[Node] = []
        self.corners: set[int] = set()  # distances seen at a corner of some deformable layer

    def add_conv(
        self,
        name: str,
        source: str,
        channels: int,
        *,
        bits: int,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        relu: bool = True,
    ) -> str:
        """A convolution with its requantisation and, if ``relu``, ReLU; pads kernel // 2."""
        fan_in, bits = 1 if depthwise else self.tensors[source].shape[0], self.bits(name, bits)
        weight = self.random_weight((channels, fan_in, kernel, kernel), bits)
        node = Conv(
            name, (source,), name, weight, bits, UNCHOSEN, stride, kernel // 2, channels if depthwise else 1
        )
        return self.add_requantised(node, relu)

    def add_deform(self, name: str, source: str, offsets: str, *, bits: int, form: str, bound: int) -> str:
        """A depthwise 3x3 deformable convolution, signed output."""
        bits = self.bits(name, bits)
        weight = self.random_weight((self.tensors[source].shape[0], 1, 3, 3), bits)
        node = DeformConv(name, (source, offsets), name, weight, bits, UNCHOSEN, form, bound)
        return self.add_requantised(node, relu=False)

    def bits(self, name: str, default: int) -> int:
        """Weight bits of a layer."""
        return bits_of(name, self.layer_bits, default)

    def add_moved(self, node: Node) -> str:
        """A node that moves codes: its output shares the first input's scale and zero point."""
        source = self.tensors[node.inputs[0]]
        return self.append(node, source.scale, source.zero_point)

    def add_sum(self, name: str, a: str, b: str) -> str:
        """The sum of two tensors, signed, at the scale of its own spread."""
        addends = [self.tensors[tensor] for tensor in (a, b)]
        reals = [t.scale * (self.values[t.name].astype(np.float64) - t.zero_point) for t in addends]
        zero = int(self.rng.integers(-16, 17))
        scale = SIGNED_SCALE * max(0.25, float((reals[0] + reals[1]).std()))
        multipliers, shift = add_parameters(addends[0].scale, addends[1].scale, scale, name)
        return self.append(Add(name, (a, b), name, multipliers, shift, zero), scale, zero)

    def add_average(self, name: str, source: str) -> str:
        """The mean over the map; of an unsigned tensor unsigned, with the largest mean near the last code."""
        tensor = self.tensors[source]
        channels, height, width = tensor.shape
        means = np.abs(self.values[source].astype(np.float64) - tensor.zero_point).mean(axis=(1, 2))
        unsigned = tensor.zero_point == CODE_MIN
        scale = tensor.scale * float(means.max()) / (250 if unsigned else 120)
        zero = CODE_MIN if unsigned else 0
        m, s = normalise_multiplier(tensor.scale / (height * width * scale), name)
        bias = -tensor.zero_point * height * width * m
        requant = Requant(np.full(channels, m), np.full(channels, s), np.full(channels, bias), zero)
        return self.append(GlobalAveragePool(name, (source,), name, requant), scale, zero)

    def random_weight(self, shape: tuple[int, ...], bits: int) -> np.ndarray:
        """int8 codes, narrow range, no channel all zero, spread reduced until the accumulator fits."""
        top = 2 ** (bits - 1) - 1
        spread = _SPREAD[bits]
        while True:
            weight = np.clip(np.rint(self.rng.normal(0, spread, shape)), -top, top).astype(np.int8)
            flat = weight.reshape(shape[0], -1)
            flat[~flat.any(axis=1), 0] = 1
            least, greatest = accumulator_bounds(weight)
            if max(-int(least.min()), int(greatest.max()) + 1) <= 2 ** (ACC_BITS - 1):
                return weight
            spread *= 0.8

    def add_requantised(self, node: Conv | DeformConv, relu: bool) -> str:
        """Append ``node`` with a requantisation chosen from its accumulators."""
        zero = CODE_MIN if relu else int(self.rng.integers(-16, 17))
        scale = RELU_SCALE if relu else SIGNED_SCALE
        requant = self.choose_requant(node, scale, zero, relu)
        return self.append(replace(node, requant=requant), scale, zero)

    def choose_requant(self, node: Conv | DeformConv, scale: float, zero_point: int, relu: bool) -> Requant:
        """Per channel: unit spread and zero mean, then a random gain and shift, in codes of ``scale``."""
        zero_in = [self.tensors[name].zero_point for name in node.inputs]
        acc = accumulate(node, [self.values[name] for name in node.inputs], zero_in)
        flat = acc.reshape(acc.shape[0], -1).astype(np.float64)
        count = flat.shape[0]
        mean, spread = flat.mean(axis=1), flat.std(axis=1)
        floor = max(1.0, 0.25 * float(np.median(spread)), 0.05 * float(flat.std()))
        gain = self.rng.uniform(0.7, 1.3, count) / scale / np.maximum(spread, floor)
        shift = (self.rng.uniform(0.0, 1.0, count) if relu else self.rng.normal(0, 0.3, count)) / scale
        return requant_from_affine(node.name, node.weight, gain, shift - gain * mean, zero_point)

    def append(self, node: Node, scale: float, zero_point: int) -> str:
        """Run ``node`` and record its output with this scale and zero point; returns the output's name."""
        inputs = [self.values[name] for name in node.inputs]
        codes = run_node(node, inputs, [self.tensors[name].zero_point for name in node.inputs])
        self.values[node.output] = codes
        self.tensors[node.output] = Tensor(node.output, tuple(codes.shape), scale, zero_point)
        self.nodes.append(node)
        return node.output

    def graph(self, outputs: dict[str, str], meta: dict) -> Graph:
        """The finished graph; ``outputs`` maps roles to tensors."""
        return Graph(self.input, tuple(self.nodes), dict(self.tensors), outputs, meta)


def requant_from_affine(
    layer: str,
    weight: np.ndarray,
    gain: np.ndarray,
    offset: np.ndarray,
    zero_point: int,
    lo: int = CODE_MIN,
    hi: int = CODE_MAX,
) -> Requant:
    """The Requant nearest to ``code = gain[c] * acc + offset[c] + zero_point``, its bounds proven."""
    count = weight.shape[0]
    multiplier, shift, bias = (np.zeros(count, dtype=np.int64) for _ in range(3))
    for c in range(count):
        multiplier[c], shift[c] = normalise_multiplier(float(gain[c]), layer, c)
        bias[c] = round(math.ldexp(float(offset[c]), int(shift[c])))
    least, greatest = accumulator_bounds(weight)
    prove_accumulator(layer, least, greatest)
    prove_scaled(layer, least, greatest, multiplier, bias)
    return Requant(multiplier, shift, bias, zero_point, lo, hi)
