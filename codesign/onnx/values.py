# SPDX-License-Identifier: Apache-2.0
"""What an ONNX tensor is while the graph is being lowered: codes, or a sum that still waits for its quantiser."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from codesign.graph.ir import Tensor
from codesign.onnx.quantiser import Quantiser

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Raw:
    """The network's input before its quantiser."""

    shape: Shape


@dataclass(frozen=True)
class Unknown:
    """What an operator that cannot be imported would make; a quantiser behind it is taken as it stands."""

    shape: Shape | None


@dataclass(frozen=True)
class Codes:
    """Codes of a tensor of the graph, within the quantiser's lo..hi; ``integer`` where the model holds the codes themselves."""

    tensor: Tensor
    quantiser: Quantiser
    integer: bool = False


@dataclass(frozen=True)
class Limits:
    """A clamp in real values, before quantisation. Quantising is monotone, so it commutes with clamping."""

    least: float = -math.inf
    greatest: float = math.inf

    def clipped(self, least: float, greatest: float) -> Limits:
        """A further clamp behind this one."""
        inside = min(max(self.least, least), greatest), min(max(self.greatest, least), greatest)
        return Limits(*inside)

    @property
    def free(self) -> bool:
        """Whether nothing is clamped."""
        return math.isinf(self.least) and math.isinf(self.greatest)


@dataclass(frozen=True, eq=False)
class Product:
    """A convolution's real output before quantisation: per output channel ``scale``·Σ weight·(q − z)·s_in + ``bias``, clamped.

    ``weight`` int64 codes (Cout, Cin / groups, kh, kw). ``offsets`` and ``form`` for a deformable one, ``identity`` where it
    only passes ``source`` on. ``whole``: rounded to whole numbers.
    """

    node: str
    output: str
    source: Codes
    weight: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    shape: tuple[int, int, int]
    stride: int = 1
    pad: int = 0
    groups: int = 1
    limits: Limits = Limits()
    offsets: Codes | None = None
    form: str = ""
    identity: bool = False
    whole: bool = False

    def affine(self, gain: np.ndarray, offset: np.ndarray) -> Product:
        """``gain`` · this + ``offset``, per channel. A negative gain turns the codes round, and 0 empties them."""
        sign = np.sign(gain).astype(np.int64).reshape(-1, 1, 1, 1)
        scale = np.where(gain == 0, 1.0, np.abs(gain) * self.scale)
        moved = gain * self.bias + offset
        return replace(self, weight=self.weight * sign, scale=scale, bias=moved, identity=False)


@dataclass(frozen=True)
class Sum:
    """An addition before quantisation."""

    node: str
    output: str
    terms: tuple[Codes, Codes]
    limits: Limits = Limits()


@dataclass(frozen=True)
class Mean:
    """A global average before quantisation."""

    node: str
    output: str
    source: Codes
    limits: Limits = Limits()


@dataclass(frozen=True)
class Joined:
    """A concatenation of parts that do not share a quantiser yet; the quantiser behind it is applied to each."""

    node: str
    output: str
    parts: tuple[object, ...]


@dataclass(frozen=True)
class Grouped:
    """Codes seen as (1, groups, C / groups, H, W), or with those two axes exchanged: half a channel shuffle."""

    codes: Codes
    groups: int
    swapped: bool = False


@dataclass(frozen=True)
class Grown:
    """Distances less one, on the way to the offsets of a square deformable convolution."""

    codes: Codes


@dataclass(frozen=True)
class SquareOffsets:
    """(d − 1) · (distance of each tap from the centre) for a ``kernel``: offsets of a square deformable convolution."""

    codes: Codes
    kernel: tuple[int, int]


Pending = Product | Sum | Mean | Joined
Value = Raw | Unknown | Codes | Pending | Grouped | Grown | SquareOffsets
