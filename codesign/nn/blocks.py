# SPDX-License-Identifier: Apache-2.0
"""Building blocks of CoDeNet. Every convolution is a `ConvUnit` or a `DeformUnit`: conv, bn (or None), act.

A unit computes act(bn(conv(x))). `quantised` turns weight quantisation on; the activation quantiser has its own
switch, so one tree is the float network, the network in calibration and the quantised network.
"""

from __future__ import annotations

from dataclasses import dataclass

import brevitas.nn as qnn
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codesign.nn.config import NetConfig
from codesign.nn.deform import deform_depthwise
from codesign.nn.quant import WEIGHT_QUANT, ActQuant, DistanceQuant


@dataclass(frozen=True)
class Bits:
    """Weight bits of the layers below one module of the network, by their names there."""

    config: NetConfig
    prefix: str = ""

    def of(self, name: str) -> int:
        """4 or 8."""
        return self.config.bits(self.prefix + name)

    def under(self, name: str) -> Bits:
        """Those below one of its modules."""
        return Bits(self.config, f"{self.prefix}{name}.")


class ConvUnit(nn.Module):
    """Convolution, optional BN, activation quantiser. Without BN the convolution may carry a bias."""

    def __init__(
        self, cin: int, cout: int, kernel: int, act: nn.Module, *, bits: int, stride: int = 1, groups: int = 1,
        bn: bool = True, bias: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.bits, self.quantised = bits, False
        self.conv = qnn.QuantConv2d(
            cin, cout, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=bias,
            weight_quant=WEIGHT_QUANT[bits],
        )  # fmt: skip
        self.bn = nn.BatchNorm2d(cout) if bn else None
        self.act = act

    def weight(self) -> Tensor:
        """The weight the convolution uses now: float, or on its code grid."""
        return self.conv.quant_weight().value if self.quantised else self.conv.weight

    def forward(self, x: Tensor) -> Tensor:
        """[B, Cin, H, W] -> [B, Cout, H / stride, W / stride]."""
        y = F.conv2d(x, self.weight(), self.conv.bias, self.conv.stride, self.conv.padding, 1, self.conv.groups)
        return self.act(y if self.bn is None else self.bn(y))


class DeformUnit(ConvUnit):
    """Depthwise 3x3 at the taps that `offset` names; see `codesign.nn.deform`."""

    def __init__(self, channels: int, act: nn.Module, config: NetConfig, bn: bool, bits: int) -> None:
        super().__init__(channels, channels, 3, act, bits=bits, groups=channels, bn=bn)
        self.operator, self.bound, self.integer = config.operator, config.bound, config.rounding == "integer"

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:  # type: ignore[override]
        """x [B, C, H, W], offset [B, 1 or 18, H, W] in pixels -> [B, C, H, W]."""
        y = deform_depthwise(x, offset, self.weight(), self.operator, self.integer)
        if self.conv.bias is not None:
            y = y + self.conv.bias.view(1, -1, 1, 1)
        return self.act(y if self.bn is None else self.bn(y))


def channel_shuffle(x: Tensor, groups: int = 2) -> Tensor:
    """Out channel i*groups + j = in channel j*(C/groups) + i."""
    b, c, h, w = x.shape
    y = x.view(b, groups, c // groups, h, w).transpose(1, 2)
    return y.reshape(b, c, h, w).contiguous(memory_format=torch.channels_last)


class Branch(nn.Module):
    """1x1-BN-ReLU (`reduce`), DW 3x3-BN (`depthwise`), 1x1-BN-ReLU (`expand`, on the stage's quantiser)."""

    def __init__(self, cin: int, cout: int, stride: int, act: ActQuant, bits: Bits, reduce: bool = True) -> None:
        super().__init__()
        mid = cout if reduce else cin
        self.reduce = ConvUnit(cin, mid, 1, ActQuant(True), bits=bits.of("reduce")) if reduce else None
        self.depthwise = ConvUnit(mid, mid, 3, ActQuant(False), bits=bits.of("depthwise"), stride=stride, groups=mid)
        self.expand = ConvUnit(mid, cout, 1, act, bits=bits.of("expand"))

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H / stride, W / stride]."""
        if self.reduce is not None:
            x = self.reduce(x)
        return self.expand(self.depthwise(x))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2 unit: stride 1 keeps the first half of the channels; stride 2 runs `left` on the whole input."""

    def __init__(self, cin: int, cout: int, stride: int, act: ActQuant, bits: Bits) -> None:
        super().__init__()
        half = cout // 2
        self.left = Branch(cin, half, 2, act, bits.under("left"), reduce=False) if stride == 2 else None
        self.right = Branch(cin if stride == 2 else half, half, stride, act, bits.under("right"))

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H / stride, W / stride], concatenated and shuffled."""
        if self.left is not None:
            halves = [self.left(x), self.right(x)]
        else:
            keep, work = x.chunk(2, dim=1)
            halves = [keep, self.right(work.contiguous(memory_format=torch.channels_last))]
        return channel_shuffle(torch.cat(halves, dim=1))


class Sum(nn.Module):
    """Two tensors added, on a quantiser of the sum's own."""

    def __init__(self, act: ActQuant) -> None:
        super().__init__()
        self.act = act

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """[B, C, H, W] twice -> [B, C, H, W]."""
        return self.act(a + b)


class Average(nn.Module):
    """Mean over height and width."""

    def __init__(self, act: ActQuant) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 1, 1]."""
        return self.act(x.mean((2, 3), keepdim=True))


class DecoderBlock(nn.Module):
    """Offset 1x1, depthwise (plain, or deformable 3x3), 1x1-BN-ReLU, nearest x2. `config.deform_first` sets the order."""

    def __init__(self, cin: int, cout: int, config: NetConfig, bits: Bits) -> None:
        super().__init__()
        self.deform_first = config.deform_first
        channels = cin if config.deform_first else cout
        self.offset = _offset_unit(channels, config, bits.of("offset")) if config.operator != "plain" else None
        act, bn = ActQuant(not config.deform_first), not config.deform_first
        self.depthwise = (
            ConvUnit(channels, channels, config.kernel, act, bits=bits.of("depthwise"), groups=channels, bn=bn)
            if self.offset is None else DeformUnit(channels, act, config, bn, bits.of("depthwise"))
        )  # fmt: skip
        self.pointwise = ConvUnit(cin, cout, 1, ActQuant(True), bits=bits.of("pointwise"))

    def taps(self, x: Tensor) -> Tensor:
        """The depthwise layer, with its offsets if it has any."""
        return self.depthwise(x) if self.offset is None else self.depthwise(x, self.offset(x))

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, 2H, 2W]."""
        x = self.pointwise(self.taps(x)) if self.deform_first else self.taps(self.pointwise(x))
        return F.interpolate(x, scale_factor=2, mode="nearest")


def _offset_unit(channels: int, config: NetConfig, bits: int) -> ConvUnit:
    """1x1 convolution to the offsets: weights start at 0, the bias at the plain 3x3 (distance 1, or pairs 0)."""
    square, integer = config.operator == "square", config.rounding == "integer"
    low = None if config.bound is None else (0 if square else -config.bound)
    act = DistanceQuant(low, config.bound, integer)
    unit = ConvUnit(channels, 1 if square else 18, 1, act, bits=bits, bn=False, bias=True)
    nn.init.zeros_(unit.conv.weight)
    nn.init.constant_(unit.conv.bias, 1.0 if square else 0.0)
    return unit


class Head(nn.Module):
    """1x1-BN-ReLU (`first`), plain DW 3x3-BN-ReLU (`depthwise`), 1x1 with bias (`last`, signed codes)."""

    def __init__(self, cin: int, cout: int, bits: Bits, bias: float = 0.0) -> None:
        super().__init__()
        self.first = ConvUnit(cin, cin, 1, ActQuant(True), bits=bits.of("first"))
        self.depthwise = ConvUnit(cin, cin, 3, ActQuant(True), bits=bits.of("depthwise"), groups=cin)
        self.last = ConvUnit(cin, cout, 1, ActQuant(False), bits=bits.of("last"), bn=False, bias=True)
        nn.init.constant_(self.last.conv.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H, W]."""
        return self.last(self.depthwise(self.first(x)))
