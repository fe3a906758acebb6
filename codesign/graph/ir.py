# SPDX-License-Identifier: Apache-2.0
"""The integer graph: frozen dataclasses, one per operator, in execution order.

Every tensor holds int8 codes ``q`` of shape (C, H, W) with one ``scale`` and one ``zero_point``: the real value
is ``scale * (q - zero_point)`` (docs/numeric-contract.md). Arrays inside nodes are NumPy and are treated as
immutable. `codesign.graph.rules.check` verifies a graph; every pass ends by calling it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """One activation tensor. ``shape`` is (C, H, W); ``scale`` and ``zero_point`` map codes to reals."""

    name: str
    shape: tuple[int, int, int]
    scale: float
    zero_point: int

    @property
    def values(self) -> int:
        """C * H * W, what `bit_exact.values` counts."""
        c, h, w = self.shape
        return c * h * w


@dataclass(frozen=True, eq=False)
class Requant:
    """Per-channel requantisation: ``y = clamp(rne((acc * M + B) / 2**S) + zero_point, lo, hi)``.

    ``multiplier`` uint16 held as int64 (C,), ``shift`` int64 (C,) in 8..31, ``bias`` int64 (C,) within 48 bits.
    ``zero_point`` is the output tensor's; ``lo``/``hi`` are the clamp's codes.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    bias: np.ndarray
    zero_point: int
    lo: int = -128
    hi: int = 127


@dataclass(frozen=True, eq=False)
class Node:
    """Base of all operators: ``inputs`` and ``output`` are tensor names; ``name`` is unique and what users see."""

    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, eq=False)
class Conv(Node):
    """Convolution, full (``groups == 1``) or depthwise (``groups == Cin == Cout``).

    ``weight`` int8 codes (Cout, Cin / groups, kh, kw); ``weight_bits`` 4 or 8; ``pad`` on all four sides with the
    input's zero-point code. An output row count is (H + 2*pad - kh) // stride + 1.
    """

    weight: np.ndarray
    weight_bits: int
    requant: Requant
    stride: int = 1
    pad: int = 0
    groups: int = 1


@dataclass(frozen=True, eq=False)
class DeformConv(Node):
    """Depthwise deformable convolution, stride 1, pad kh // 2. ``inputs`` = (data, offsets).

    ``form`` "square": offsets have 1 channel, the distance d in 0..``bound``; tap (i, j) reads
    (y + (i - kh//2) * d, x + (j - kw//2) * d). ``form`` "pairs": 2*kh*kw channels dy0, dx0, dy1, dx1, ... in
    raster order of taps (DCNv1 layout), each in -bound..bound, added to the regular grid. Offset codes are the
    integers themselves (scale 1, zero point 0). Taps outside the image read the data's zero point.
    """

    weight: np.ndarray
    weight_bits: int
    requant: Requant
    form: str = "square"
    bound: int = 7


@dataclass(frozen=True, eq=False)
class MaxPool(Node):
    """Max of codes over the positions inside the image; scale and zero point pass through."""

    kernel: int
    stride: int
    pad: int


@dataclass(frozen=True, eq=False)
class Upsample(Node):
    """Nearest neighbour ×2: out[c, y, x] = in[c, y // 2, x // 2]."""


@dataclass(frozen=True, eq=False)
class Slice(Node):
    """Channels ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Concat(Node):
    """Concatenation along channels; all inputs share scale and zero point."""


@dataclass(frozen=True, eq=False)
class Shuffle(Node):
    """Channel shuffle: out[i * groups + g] = in[g * (C // groups) + i]."""

    groups: int


@dataclass(frozen=True, eq=False)
class Add(Node):
    """Elementwise sum: clamp(rne(((a - z_a) * M_a + (b - z_b) * M_b) / 2**shift) + zero_point, lo, hi)."""

    multipliers: tuple[int, int]
    shift: int
    zero_point: int
    lo: int = -128
    hi: int = 127


@dataclass(frozen=True, eq=False)
class GlobalAveragePool(Node):
    """Sum over H and W, then ``requant`` with 1 / (H * W) inside its multiplier; output is (C, 1, 1)."""

    requant: Requant


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole network. ``outputs`` maps a role ("hm", "wh", "reg", "logits", or a tensor's own name) to a tensor name.

    ``meta`` holds JSON-able facts: config, classes, labels, weight_bits, act_bits, params, trained (bool), form.
    The input tensor is the image: 3 channels, scale 1/128, zero point 0, code = pixel - 128.
    """

    input: Tensor
    nodes: tuple[Node, ...]
    tensors: dict[str, Tensor]
    outputs: dict[str, str]
    meta: dict = field(default_factory=dict)
