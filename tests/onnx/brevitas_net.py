# SPDX-License-Identifier: Apache-2.0
"""A network of plain brevitas.nn layers that is nobody's published model, exported by Brevitas' own export_qonnx."""

from __future__ import annotations

from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.export import export_qonnx
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat
from torch import nn


def _conv(cin: int, cout: int, kernel: int, bits: int, **more) -> qnn.QuantConv2d:
    return qnn.QuantConv2d(
        cin, cout, kernel, padding=kernel // 2, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=bits, **more
    )


def _relu() -> qnn.QuantReLU:
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat)


def _signed() -> qnn.QuantIdentity:
    return qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat)


class Trunk(nn.Module):
    """What the accelerator executes: full and depthwise kernels, both strides, pool, ×2, shuffle by split and concat."""

    def __init__(self) -> None:
        super().__init__()
        self.image = _signed()
        self.stem, self.stem_norm, self.stem_act = _conv(3, 16, 3, 8, stride=2, bias=False), nn.BatchNorm2d(16), _relu()
        self.wide, self.wide_norm, self.wide_act = _conv(16, 16, 5, 4, groups=16, bias=False), nn.BatchNorm2d(16), _relu()
        self.pool = nn.MaxPool2d(2)
        self.point, self.point_act = _conv(16, 24, 1, 4, bias=True), _relu()
        self.full, self.shared = _conv(24, 24, 3, 4, bias=True), _relu()
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.last, self.out = _conv(48, 8, 1, 4, bias=True), _signed()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem_act(self.stem_norm(self.stem(self.image(x))))
        x = self.wide_act(self.wide_norm(self.wide(x)))
        x = self.point_act(self.point(self.pool(x)))
        x = torch.cat([self.shared(self.full(x)), self.shared(x)], dim=1)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.last(self.up(self.features(x))))


class Residual(Trunk):
    """With a residual addition, a global average and a fully connected layer behind."""

    def __init__(self) -> None:
        super().__init__()
        self.branch, self.branch_norm, self.sum_in = _conv(48, 48, 3, 4, groups=48, bias=False), nn.BatchNorm2d(48), _signed()
        self.sum_act, self.mean_act = _relu(), _relu()
        self.dense = qnn.QuantLinear(48, 10, bias=True, weight_quant=Int8WeightPerChannelFloat)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        y = self.sum_in(self.branch_norm(self.branch(x)))
        x = self.sum_act(self.sum_in(x) + y)
        x = self.mean_act(nn.functional.adaptive_avg_pool2d(x, (1, 1)))
        return self.out(self.dense(torch.flatten(x, 1)))


def export(network: type[nn.Module], path: Path, size: int = 32, seed: int = 0) -> Path:
    """``network`` with statistics of random pictures, in a QONNX file."""
    torch.manual_seed(seed)
    model = network().train()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 4:
                parameter *= torch.rand(parameter.shape[0], 1, 1, 1) + 0.3  # uneven scales
        for _ in range(4):
            model(torch.rand(2, 3, size, size) * 2 - 1)
    export_qonnx(model.eval(), args=torch.rand(1, 3, size, size), export_path=str(path))
    return path
