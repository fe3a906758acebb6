# SPDX-License-Identifier: Apache-2.0
"""The deployed model as one safetensors file: weight codes, scales, biases and activation scales.

Tensors, for every convolution `<name>` (module path of the fused network):

    <name>.codes   4-bit: uint8 nibbles, low nibble first, two's complement, flattened; 8-bit: int8 in weight's shape
    <name>.scale   float32 [Cout]
    <name>.bias    float32 [Cout]

and `ranges`, float32, the trained range of every activation quantiser in module order; the header is that of
`codesign.nn.container`. `read_info` needs neither torch nor Brevitas. A channel's largest code is +-7 (or +-127) or the
channel is zero, which is what makes re-quantisation of codes * scale give the same codes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codesign.errors import UserError
from codesign.nn import container
from codesign.nn.container import ModelInfo, Tensors, checked

if TYPE_CHECKING:
    from codesign.nn.codenet import CoDeNet

SCHEMA = "codesign-model-1"


def save_model(
    path: Path, model: CoDeNet, *, labels: list[str], metrics: dict[str, float | None] | None = None,
    recipe: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write the fused, quantised form of a model, atomically."""
    from codesign.nn.codenet import fuse
    from codesign.nn.export import ConvNode, DeformNode, export_layers
    from codesign.nn.quant import act_quantisers

    net = fuse(model)
    tensors: Tensors = {}
    for node in export_layers(net):
        if isinstance(node, (ConvNode, DeformNode)):
            tensors[f"{node.name}.codes"] = _pack(node.weight) if node.weight_bits == 4 else node.weight
            tensors[f"{node.name}.scale"] = node.weight_scale.astype(np.float32)
            tensors[f"{node.name}.bias"] = node.bias.astype(np.float32)
    tensors["ranges"] = np.array([float(q.threshold.detach()) for q in act_quantisers(net)], np.float32)
    container.write(path, SCHEMA, tensors, ModelInfo(model.config, tuple(labels), metrics or {}, recipe or {}))


def read_info(path: Path) -> ModelInfo:
    """Config, labels and metrics, without loading the network."""
    return container.read(path, SCHEMA)[0]


def load_model(path: Path) -> tuple[CoDeNet, ModelInfo]:
    """The fused network in eval mode with every quantiser on; a damaged or foreign file is a `UserError`."""
    info, tensors = container.read(path, SCHEMA)
    container.verify(path, info, tensors)
    return _rebuild(Path(path), info, tensors), info


def _rebuild(path: Path, info: ModelInfo, tensors: Tensors) -> CoDeNet:
    import torch

    from codesign.nn.blocks import ConvUnit
    from codesign.nn.codenet import CoDeNet, fuse, set_mode
    from codesign.nn.quant import act_quantisers

    net = fuse(CoDeNet(info.config))
    units = {name: m for name, m in net.named_modules() if isinstance(m, ConvUnit)}
    quantisers = act_quantisers(net)
    expected = {f"{n}.{part}" for n in units for part in ("codes", "scale", "bias")} | {"ranges"}
    container.expect(path, tensors, expected)
    with torch.no_grad():
        for name, unit in units.items():
            weight, bias = _unit_values(path, name, unit.bits, tuple(unit.conv.weight.shape), tensors)
            unit.conv.weight.copy_(torch.from_numpy(weight))
            unit.conv.bias.copy_(torch.from_numpy(bias))
        ranges = checked(path, "ranges", tensors, (len(quantisers),), np.float32)
        if (ranges <= 0).any():
            raise UserError(f"{path}: damaged model file (an activation range is not positive); copy or train it again")
        for quantiser, value in zip(quantisers, ranges, strict=True):
            quantiser.threshold.fill_(float(value))
    set_mode(net, True)
    return net.eval()


def _unit_values(
    path: Path, name: str, bits: int, shape: tuple[int, ...], tensors: Tensors
) -> tuple[np.ndarray, np.ndarray]:
    """Weight float32 (codes * scale) and bias float32 of one convolution, checked."""
    limit = 2 ** (bits - 1) - 1
    if bits == 4:
        packed = checked(path, f"{name}.codes", tensors, ((math.prod(shape) + 1) // 2,), np.uint8)
        codes = _unpack(packed, math.prod(shape)).reshape(shape)
    else:
        codes = checked(path, f"{name}.codes", tensors, shape, np.int8)
    scale = checked(path, f"{name}.scale", tensors, shape[:1], np.float32)
    bias = checked(path, f"{name}.bias", tensors, shape[:1], np.float32)
    peak = np.abs(codes.astype(np.int64)).reshape(shape[0], -1).max(1)
    if (scale < 0).any() or not np.isin(peak, (0, limit)).all():
        raise UserError(f"{path}: damaged model file ({name}: a channel's codes do not span -{limit}..{limit}); copy or train it again")
    return codes.astype(np.float32) * scale.reshape(-1, 1, 1, 1), bias


def _pack(codes: np.ndarray) -> np.ndarray:
    """int8 codes in -8..7 as uint8 nibbles, low nibble first."""
    flat = codes.reshape(-1).astype(np.int16) & 15
    flat = np.append(flat, 0) if flat.size % 2 else flat
    return (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8)


def _unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """The inverse of `_pack`."""
    nibbles = np.stack([packed & 15, packed >> 4], 1).reshape(-1)[:count].astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)
