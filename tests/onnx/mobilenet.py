# SPDX-License-Identifier: Apache-2.0
"""Inverted residual blocks as torchvision's MobileNetV2 has them, quantised by onnxruntime.quantization."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn


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


class _Pictures(CalibrationDataReader):
    def __init__(self, size: int) -> None:
        self._left = iter([picture(seed, size) for seed in range(4)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        found = next(self._left, None)
        return None if found is None else {"image": found}


def picture(seed: int, size: int = 32) -> np.ndarray:
    """float32 (1, 3, size, size) in -1..1."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)


def export_float(path: Path, size: int = 32) -> Path:
    """The network with statistics of random pictures, as a float ONNX file with a free batch."""
    torch.manual_seed(0)
    model = Network().train()
    with torch.no_grad():
        for _ in range(4):
            model(torch.rand(4, 3, size, size) * 2 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "batch"}}}
        torch.onnx.export(model.eval(), (torch.rand(1, 3, size, size),), str(path), opset_version=18, dynamo=False, **names)
    return path


def quantise(source: Path, path: Path, signed: bool) -> Path:
    """QDQ with weights per channel; activations int8 or uint8."""
    logging.getLogger().setLevel(logging.ERROR)
    kind = QuantType.QInt8 if signed else QuantType.QUInt8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(
            str(source), str(path), _Pictures(32), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=kind,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
    return path


def runtime_codes(path: Path, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """The integer tensors ``names`` as ONNX Runtime computes them, graph optimisations disabled, as int8 (..., C, H, W)."""
    model = onnx.load(str(path))
    have = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in have)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = dict(zip(names, session.run(names, {"image": image})))
    return {name: (codes.view(np.int8) ^ -128 if codes.dtype == np.uint8 else codes)[0] for name, codes in found.items()}
