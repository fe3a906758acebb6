# SPDX-License-Identifier: Apache-2.0
"""Tiny random graphs for differential fuzzing: one to three operators with extreme numbers that obey the contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from codesign.graph.ir import (
    Add,
    Concat,
    Conv,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Requant,
    Shuffle,
    Slice,
    Upsample,
)
from codesign.graph.rules import check
from codesign.lower.calibrate import UNCHOSEN, Calibrator
from codesign.lower.offset_choice import add_offset_conv
from codesign.numeric import (
    CODE_MAX,
    CODE_MIN,
    MULTIPLIER_MAX,
    MULTIPLIER_NORMAL,
    OFFSET_BOUND,
    SCALED_LIMIT,
    SHIFT_MAX,
    SHIFT_MIN,
    WEIGHT_MAX,
    WEIGHT_MIN,
    accumulator_bounds,
    normalise_multiplier,
)

OPERATORS = ("pointwise", "depthwise", "full", "deform", "maxpool", "upsample", "unit", "add", "residual", "average")
_LARGEST_AVERAGE = 31  #: side of a map that a depthwise unit averages
_POOLS = ((3, 2, 1), (3, 1, 1), (2, 2, 0))


def random_layer_graph(
    rng: np.random.Generator | int,
    operators: tuple[str, ...] = OPERATORS,
    side: int = 40,
    channels: int = 100,
    input_channels: int | None = None,
    even_kernels: bool = False,
) -> Graph:
    """A checked graph of one to three of ``operators``; the same for the same seed.

    Input (1..``channels`` or ``input_channels``, 1..``side``, 1..``side``) with a random zero point; feed it
    `random_codes(graph, rng)`. Weights reach -8 and -128, multipliers 0 and 65535, shifts 8 and 31, constants the
    edge of 48 bits. The single output's role is "out".
    """
    rng = np.random.default_rng(rng) if isinstance(rng, int) else rng
    cin = input_channels or int(rng.integers(1, channels + 1))
    height, width = (int(v) for v in rng.integers(1, side + 1, 2))
    fuzz = LayerFuzz(codes_of(rng, (cin, height, width)), rng, channels, even_kernels)
    x = "image"
    for step in range(int(rng.integers(1, 4))):
        x = getattr(fuzz, str(rng.choice(list(operators))))(f"n{step}", x)
    if not fuzz.nodes:
        x = fuzz.pointwise("n0", x)
    graph = fuzz.graph({"out": x}, {"config": "fuzz", "trained": False, "act_bits": 8})
    check(graph)
    return graph


def random_codes(graph: Graph, rng: np.random.Generator | int) -> np.ndarray:
    """Input codes int8 for ``graph``: uniform, smooth or at the extremes."""
    rng = np.random.default_rng(rng) if isinstance(rng, int) else rng
    return codes_of(rng, tuple(graph.input.shape))


def codes_of(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    kind = rng.integers(0, 4)
    if kind == 0:
        return rng.choice(np.array([-128, -1, 0, 127], dtype=np.int8), shape)
    if kind == 1:
        return np.clip(np.rint(rng.normal(0, 30, shape)), -128, 127).astype(np.int8)
    return rng.integers(-128, 128, shape, dtype=np.int8)


class LayerFuzz(Calibrator):
    """A calibrator whose methods, one per operator, append ``name`` after tensor ``x`` and return the output."""

    def __init__(self, codes: np.ndarray, rng: np.random.Generator, channels: int, even_kernels: bool) -> None:
        super().__init__(codes, rng, int(rng.integers(-128, 128)))
        self.channels, self.even_kernels = channels, even_kernels

    def pointwise(self, name: str, x: str) -> str:
        return self._conv(name, x, int(self.rng.integers(1, self.channels + 1)), 1, 1, False)

    def depthwise(self, name: str, x: str) -> str:
        kernels = [1, 2, 3, 3, 3, 4, 5, 6, 7] if self.even_kernels else [1, 3, 3, 3, 5, 7]
        kernel = int(self.rng.choice(kernels))
        return self._conv(name, x, self.tensors[x].shape[0], kernel, self._stride(), True)

    def full(self, name: str, x: str) -> str:
        return self._conv(name, x, int(self.rng.integers(1, self.channels // 2 + 2)), 3, self._stride(), False)

    def deform(self, name: str, x: str) -> str:
        form = str(self.rng.choice(["square", "pairs"]))
        bound = int(self.rng.integers(1, OFFSET_BOUND + 1))
        offset = add_offset_conv(self, f"{name}.offset", x, bits=self._bits(), form=form, bound=bound)
        bits = self._bits()
        weight = self.random_weight((self.tensors[x].shape[0], 1, 3, 3), bits)
        return self.add_requantised(DeformConv(name, (x, offset), name, weight, bits, UNCHOSEN, form, bound), False)

    def maxpool(self, name: str, x: str) -> str:
        kernel, stride, pad = _POOLS[int(self.rng.integers(0, len(_POOLS)))]
        if min(self.tensors[x].shape[1:]) + 2 * pad < kernel:
            kernel, stride, pad = 3, 2, 1
        return self.add_moved(MaxPool(name, (x,), name, kernel, stride, pad))

    def upsample(self, name: str, x: str) -> str:
        if max(self.tensors[x].shape[1:]) > 40:
            return self.pointwise(name, x)
        return self.pointwise(name, self.add_moved(Upsample(f"{name}.up", (x,), f"{name}.up")))

    def unit(self, name: str, x: str) -> str:
        """A ShuffleNet unit in small: split, a convolution on one part, concat, shuffle."""
        total = self.tensors[x].shape[0]
        if total < 2:
            return self.pointwise(name, x)
        cut = total // 2 if self.rng.random() < 0.7 else int(self.rng.integers(1, total))
        left = self.add_moved(Slice(f"{name}.left", (x,), f"{name}.left", 0, cut))
        right = self.add_moved(Slice(f"{name}.right", (x,), f"{name}.right", cut, total))
        changed = self._conv(f"{name}.conv", right, total - cut, 1, 1, False, like=x)
        parts = (left, changed) if self.rng.random() < 0.7 else (changed, left)
        out = self.add_moved(Concat(f"{name}.concat", parts, f"{name}.concat"))
        groups = int(self.rng.choice([g for g in (1, 2, 3, 4, total) if total % g == 0]))
        return self.add_moved(Shuffle(f"{name}.shuffle", (out,), f"{name}.shuffle", groups))

    def add(self, name: str, x: str) -> str:
        return self._sum(name, x, self._conv(f"{name}.branch", x, self.tensors[x].shape[0], 1, 1, False))

    def residual(self, name: str, x: str) -> str:
        """A sum whose addends come about in any way: through views, upsampled, from a depthwise layer, twice the same."""
        count, kind = self.tensors[x].shape[0], int(self.rng.integers(0, 6))
        if kind == 0:
            middle = self._conv(f"{name}.expand", x, int(self.rng.integers(1, 2 * count + 1)), 1, 1, False)
            middle = self._conv(f"{name}.depthwise", middle, self.tensors[middle].shape[0], 3, 1, True)
            return self._sum(name, x, self._conv(f"{name}.project", middle, count, 1, 1, False))
        if kind == 1 and max(self.tensors[x].shape[1:]) <= 40:
            small = self._conv(f"{name}.low", x, count, 1, 1, False)
            up = self.add_moved(Upsample(f"{name}.up", (small,), f"{name}.up"))
            other = self.add_moved(Upsample(f"{name}.other", (x,), f"{name}.other")) if self.rng.random() < 0.3 else None
            return self._sum(name, up, other or self._conv(f"{name}.full", up, count, 1, 1, False))
        if kind == 2 and count > 1:
            left = self.add_moved(Slice(f"{name}.left", (x,), f"{name}.left", 0, count // 2))
            right = self.add_moved(Slice(f"{name}.right", (x,), f"{name}.right", count - count // 2, count))
            return self._sum(name, left, right)
        if kind == 3:
            shuffled = self.add_moved(Shuffle(f"{name}.shuffle", (x,), f"{name}.shuffle", count))
            joined = self.add_moved(Concat(f"{name}.concat", (shuffled, x), f"{name}.concat"))
            return self._sum(name, joined, self._conv(f"{name}.wide", x, 2 * count, 1, 1, False))
        if kind == 4:
            return self._sum(name, x, self._conv(f"{name}.taps", x, count, 3, 1, True))
        return self._sum(name, x, x)

    def average(self, name: str, x: str) -> str:
        """A global average pool, its requantisation at random scales."""
        channels, height, width = self.tensors[x].shape
        if max(height, width) > _LARGEST_AVERAGE:
            return self.pointwise(name, x)
        scale, zero = float(self.rng.choice([1, 0.3, 4])), int(self.rng.integers(CODE_MIN, CODE_MAX + 1))
        m, s = normalise_multiplier(1 / (height * width * scale), name)
        bias = -self.tensors[x].zero_point * height * width * m
        requant = Requant(np.full(channels, m), np.full(channels, s), np.full(channels, bias), zero, *self._clamp())
        return self.append(GlobalAveragePool(name, (x,), name, requant), self.tensors[x].scale * scale, zero)

    def _sum(self, name: str, x: str, other: str) -> str:
        inputs = (x, other) if self.rng.random() < 0.5 else (other, x)
        large = int(self.rng.integers(MULTIPLIER_NORMAL, MULTIPLIER_MAX + 1))
        small = int(self.rng.choice([0, 1, int(self.rng.integers(0, large + 1)), large]))
        pair = (large, small) if self.rng.random() < 0.5 else (small, large)
        zero = int(self.rng.integers(CODE_MIN, CODE_MAX + 1))
        shift = int(self.rng.choice([SHIFT_MIN, 15, 16, 17, SHIFT_MAX]))
        return self.append(Add(name, inputs, name, pair, shift, zero, *self._clamp()), 1.0, zero)

    def random_weight(self, shape: tuple[int, ...], bits: int) -> np.ndarray:
        weight = super().random_weight(shape, bits)
        flat = weight.reshape(shape[0], -1)
        for value in (WEIGHT_MIN[bits], WEIGHT_MAX[bits]):
            flat[int(self.rng.integers(shape[0])), int(self.rng.integers(flat.shape[1]))] = value
        if self.rng.random() < 0.1:
            flat[int(self.rng.integers(shape[0]))] = 0
        return weight

    def add_requantised(self, node: Conv | DeformConv, relu: bool) -> str:
        return self._append_conv(node, relu, None)

    def _conv(
        self, name: str, x: str, cout: int, kernel: int, stride: int, depthwise: bool, like: str | None = None
    ) -> str:
        """``like`` names a tensor whose scale and zero point the output must share."""
        bits = self._bits()
        weight = self.random_weight((cout, 1 if depthwise else self.tensors[x].shape[0], kernel, kernel), bits)
        groups = cout if depthwise else 1
        node = Conv(name, (x,), name, weight, bits, UNCHOSEN, stride, kernel // 2, groups)
        return self._append_conv(node, self.rng.random() < 0.4, like)

    def _append_conv(self, node: Conv | DeformConv, relu: bool, like: str | None) -> str:
        zero = CODE_MIN if relu else int(self.rng.integers(CODE_MIN, CODE_MAX + 1))
        scale = 1 / 32
        if like is not None:
            scale, zero = self.tensors[like].scale, self.tensors[like].zero_point
        requant = self.choose_requant(node, 1 / 32, zero, relu)
        least, greatest = accumulator_bounds(node.weight)
        requant = _extremes(requant, np.maximum(-least, greatest), self.rng)
        if self.rng.random() < 0.2:
            lo, hi = self._clamp()
            requant = replace(requant, lo=lo, hi=hi)
        return self.append(replace(node, requant=requant), scale, zero)

    def _bits(self) -> int:
        return int(self.rng.choice([4, 8]))

    def _stride(self) -> int:
        return int(self.rng.choice([1, 2]))

    def _clamp(self) -> tuple[int, int]:
        lo, hi = sorted(int(v) for v in self.rng.integers(CODE_MIN, CODE_MAX + 1, 2))
        return (lo, hi) if self.rng.random() < 0.3 else (CODE_MIN, CODE_MAX)


def _extremes(requant: Requant, reach: np.ndarray, rng: np.random.Generator) -> Requant:
    """``requant`` with a few channels at the edges of M, S and B; ``reach`` is the greatest |acc| per channel."""
    multiplier, shift, bias = requant.multiplier.copy(), requant.shift.copy(), requant.bias.copy()
    for c in np.flatnonzero(rng.random(multiplier.size) < 0.1):
        kind = rng.integers(0, 5)
        if kind == 0:
            multiplier[c], shift[c] = int(rng.choice([0, 1, MULTIPLIER_NORMAL - 1])), SHIFT_MAX
        elif kind == 1:
            multiplier[c] = int(rng.choice([MULTIPLIER_NORMAL, MULTIPLIER_MAX]))
        elif kind == 2:
            multiplier[c], shift[c] = max(int(multiplier[c]), MULTIPLIER_NORMAL), SHIFT_MIN
        room = SCALED_LIMIT - 1 - int(reach[c]) * int(multiplier[c])
        if kind == 3:
            bias[c] = room if rng.random() < 0.5 else -room
        elif kind == 4:  # exact ties: B on half an output code
            bias[c] = (1 << (int(shift[c]) - 1)) * int(2 * rng.integers(-20, 20) + 1)
        bias[c] = int(np.clip(bias[c], -room, room))
    return replace(requant, multiplier=multiplier, shift=shift, bias=bias)
