# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 as torchvision has it, and a few of its blocks alone, quantised by onnxruntime.quantization."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

from tests.onnx.engines import runtime_tensors


def _conv(cin: int, cout: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(cout), nn.ReLU6())


class Block(nn.Module):
    """Expand, depthwise, project; added to its input where the shapes allow it."""

    def __init__(self, cin: int, cout: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = cin * expansion
        layers = [_conv(cin, hidden)] if expansion > 1 else []
        layers += [_conv(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, cout, 1, bias=False), nn.BatchNorm2d(cout)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class Network(nn.Module):
    """A stem, three blocks, a last convolution and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [Block(16, 8, 1, 1), Block(8, 16, 2, 6), Block(16, 16, 1, 6)]
        self.features = nn.Sequential(_conv(3, 16, 3, 2), *blocks, _conv(16, 32))
        self.classifier = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(mean, 1))


#: expansion, channels, repeats, first stride: torchvision's inverted_residual_setting
_SETTING = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class MobileNetV2(nn.Module):
    """The whole network: stem, 17 blocks, last convolution, average, classifier. ``width`` as in the paper, channels rounded to 8."""

    def __init__(self, width: float = 1.0, classes: int = 1000) -> None:
        super().__init__()
        cin = _eights(32 * width)
        layers: list[nn.Module] = [_conv(3, cin, 3, 2)]
        for expansion, channels, repeats, stride in _SETTING:
            for index in range(repeats):
                layers.append(Block(cin, _eights(channels * width), stride if index == 0 else 1, expansion))
                cin = _eights(channels * width)
        last = _eights(1280 * max(1.0, width))
        self.features = nn.Sequential(*layers, _conv(cin, last))
        self.classifier = nn.Linear(last, classes)
        for module in self.modules():  # as torchvision does
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        nn.init.normal_(self.classifier.weight, 0, 0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(mean, 1))


def _eights(channels: float) -> int:
    """torchvision's _make_divisible: to the nearest multiple of 8, never below nine tenths."""
    found = max(8, int(channels + 4) // 8 * 8)
    return found + 8 if found < 0.9 * channels else found


class _Pictures(CalibrationDataReader):
    def __init__(self, size: int) -> None:
        self._left = iter([picture(seed, size) for seed in range(4)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        found = next(self._left, None)
        return None if found is None else {"image": found}


def picture(seed: int, size: int = 32) -> np.ndarray:
    """float32 (1, 3, size, size) in -1..1."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)


def export_float(path: Path, size: int = 32, make: Callable[[], nn.Module] = Network) -> Path:
    """A network with statistics of random pictures, as a float ONNX file with a free batch."""
    torch.manual_seed(0)
    model = make().train()
    with torch.no_grad():
        for _ in range(4):
            model(torch.rand(4, 3, size, size) * 2 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "batch"}}}
        torch.onnx.export(model.eval(), (torch.rand(1, 3, size, size),), str(path), opset_version=18, dynamo=False, **names)
    return path


def quantise(source: Path, path: Path, signed: bool, size: int = 32) -> Path:
    """QDQ with weights per channel; activations int8 or uint8."""
    logging.getLogger().setLevel(logging.ERROR)
    kind = QuantType.QInt8 if signed else QuantType.QUInt8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(
            str(source), str(path), _Pictures(size), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=kind,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
    return path


def runtime_codes(path: Path, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """The integer tensors ``names`` as ONNX Runtime computes them, as int8 (..., C, H, W)."""
    return {name: codes[0] for name, codes in runtime_tensors(path, image, names).items()}
