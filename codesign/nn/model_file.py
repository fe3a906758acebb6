# SPDX-License-Identifier: Apache-2.0
"""The deployed model as one safetensors file: weight codes, scales, biases and activation scales.

Tensors, for every convolution `<name>` (module path of the fused network):

    <name>.codes   4-bit: uint8 nibbles, low nibble first, two's complement, flattened; 8-bit: int8 in weight's shape
    <name>.scale   float32 [Cout]
    <name>.bias    float32 [Cout]

and `ranges`, float32, the trained range of every activation quantiser in module order. The header's metadata key
`codesign` holds JSON: schema, config, labels, metrics, recipe, sha256 (of the tensors, names and shapes included).
`read_info` needs neither torch nor Brevitas. A channel's largest code is +-7 (or +-127) or the channel is zero, which
is what makes re-quantisation of codes * scale give the same codes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from codesign.errors import UserError
from codesign.nn.config import MAX_LABEL, NetConfig, valid_label

if TYPE_CHECKING:
    from codesign.nn.codenet import CoDeNet

SCHEMA = "codesign-model-1"
_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself."""

    config: NetConfig
    labels: tuple[str, ...]
    metrics: dict[str, float | None] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""


def save_model(
    path: Path, model: CoDeNet, *, labels: list[str], metrics: dict[str, float | None] | None = None,
    recipe: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write the fused, quantised form of a model, atomically."""
    from codesign.nn.codenet import fuse
    from codesign.nn.export import ConvNode, DeformNode, export_layers
    from codesign.nn.quant import act_quantisers

    if len(labels) != model.config.classes:
        raise UserError(f"{len(labels)} labels for a model of {model.config.classes} classes")
    _check_labels(str(path), list(labels))
    net = fuse(model)
    tensors: dict[str, np.ndarray] = {}
    for node in export_layers(net):
        if isinstance(node, (ConvNode, DeformNode)):
            tensors[f"{node.name}.codes"] = _pack(node.weight) if node.weight_bits == 4 else node.weight
            tensors[f"{node.name}.scale"] = node.weight_scale.astype(np.float32)
            tensors[f"{node.name}.bias"] = node.bias.astype(np.float32)
    tensors["ranges"] = np.array([float(q.threshold.detach()) for q in act_quantisers(net)], np.float32)
    finite = {k: v for k, v in (metrics or {}).items() if v is None or math.isfinite(v)}
    info = {"schema": SCHEMA, "config": model.config.to_json(), "labels": list(labels), "metrics": finite,
            "recipe": recipe or {}, "sha256": _digest(tensors)}  # fmt: skip
    _write(Path(path), save(tensors, metadata={"codesign": json.dumps(info)}))


def _check_labels(where: str, labels: list[object]) -> None:
    bad = next((n for n in labels if not valid_label(n)), None)
    if bad is not None or None in labels:
        rule = f"printable text of 1 to {MAX_LABEL} characters"
        raise UserError(f"{where}: label {repr(bad)[:60]} must be {rule}; correct labels.txt and train again")


def read_info(path: Path) -> ModelInfo:
    """Config, labels and metrics, without loading the network."""
    return _read(Path(path))[0]


def load_model(path: Path) -> tuple[CoDeNet, ModelInfo]:
    """The fused network in eval mode with every quantiser on; a damaged or foreign file is a `UserError`."""
    info, tensors = _read(Path(path))
    if _digest(tensors) != info.sha256:
        raise UserError(f"{path}: damaged model file (its tensors do not match its checksum)")
    return _rebuild(Path(path), info, tensors), info


def _rebuild(path: Path, info: ModelInfo, tensors: dict[str, np.ndarray]) -> CoDeNet:
    import torch

    from codesign.nn.blocks import ConvUnit
    from codesign.nn.codenet import CoDeNet, fuse, set_mode
    from codesign.nn.quant import act_quantisers

    net = fuse(CoDeNet(info.config))
    units = {name: m for name, m in net.named_modules() if isinstance(m, ConvUnit)}
    quantisers = act_quantisers(net)
    expected = {f"{n}.{part}" for n in units for part in ("codes", "scale", "bias")} | {"ranges"}
    if set(tensors) != expected:
        odd = sorted(set(tensors) ^ expected)[0]
        raise UserError(f"{path}: damaged model file (tensor {odd!r} is missing or unexpected)")
    with torch.no_grad():
        for name, unit in units.items():
            weight, bias = _unit_values(path, name, unit.bits, tuple(unit.conv.weight.shape), tensors)
            unit.conv.weight.copy_(torch.from_numpy(weight))
            unit.conv.bias.copy_(torch.from_numpy(bias))
        ranges = _checked(path, "ranges", tensors, (len(quantisers),), np.float32)
        if (ranges <= 0).any():
            raise UserError(f"{path}: damaged model file (an activation range is not positive)")
        for quantiser, value in zip(quantisers, ranges, strict=True):
            quantiser.threshold.fill_(float(value))
    set_mode(net, True)
    return net.eval()


def _unit_values(
    path: Path, name: str, bits: int, shape: tuple[int, ...], tensors: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Weight float32 (codes * scale) and bias float32 of one convolution, checked."""
    limit = 2 ** (bits - 1) - 1
    if bits == 4:
        packed = _checked(path, f"{name}.codes", tensors, ((math.prod(shape) + 1) // 2,), np.uint8)
        codes = _unpack(packed, math.prod(shape)).reshape(shape)
    else:
        codes = _checked(path, f"{name}.codes", tensors, shape, np.int8)
    scale = _checked(path, f"{name}.scale", tensors, shape[:1], np.float32)
    bias = _checked(path, f"{name}.bias", tensors, shape[:1], np.float32)
    peak = np.abs(codes.astype(np.int64)).reshape(shape[0], -1).max(1)
    if (scale < 0).any() or not np.isin(peak, (0, limit)).all():
        raise UserError(f"{path}: damaged model file ({name}: a channel's codes do not span -{limit}..{limit})")
    return codes.astype(np.float32) * scale.reshape(-1, 1, 1, 1), bias


def _checked(
    path: Path, name: str, tensors: dict[str, np.ndarray], shape: tuple[int, ...], dtype: type
) -> np.ndarray:
    value = tensors[name]
    if value.shape != shape or value.dtype != dtype:
        raise UserError(f"{path}: damaged model file ({name} is {value.dtype}{list(value.shape)}, not {list(shape)})")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise UserError(f"{path}: damaged model file ({name} holds a value that is not finite)")
    return value


def _read(path: Path) -> tuple[ModelInfo, dict[str, np.ndarray]]:
    if not path.is_file():
        raise UserError(f"{path}: no such model file")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path}: larger than any model file of this program")
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get("codesign", "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        meta = json.loads(text)
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a readable model file ({str(error).splitlines()[0]})") from None
    return _info(path, meta), tensors


def _info(path: Path, meta: object) -> ModelInfo:
    if not isinstance(meta, dict) or meta.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a model file of this program (schema {SCHEMA} expected)")
    labels, digest = meta.get("labels"), meta.get("sha256")
    if not isinstance(labels, list) or not isinstance(digest, str):
        raise UserError(f"{path}: damaged model file (labels or checksum)")
    _check_labels(str(path), labels)
    try:
        config = NetConfig.from_json(meta.get("config"))  # type: ignore[arg-type]
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if len(labels) != config.classes:
        raise UserError(f"{path}: damaged model file ({len(labels)} labels, {config.classes} classes)")
    metrics, recipe = meta.get("metrics"), meta.get("recipe")
    return ModelInfo(config, tuple(labels), metrics if isinstance(metrics, dict) else {},
                     recipe if isinstance(recipe, dict) else {}, digest)  # fmt: skip


def _pack(codes: np.ndarray) -> np.ndarray:
    """int8 codes in -8..7 as uint8 nibbles, low nibble first."""
    flat = codes.reshape(-1).astype(np.int16) & 15
    flat = np.append(flat, 0) if flat.size % 2 else flat
    return (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8)


def _unpack(packed: np.ndarray, count: int) -> np.ndarray:
    """The inverse of `_pack`."""
    nibbles = np.stack([packed & 15, packed >> 4], 1).reshape(-1)[:count].astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)


def _digest(tensors: dict[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f"{name} {value.dtype} {value.shape};".encode())
        total.update(np.ascontiguousarray(value).tobytes())
    return total.hexdigest()


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot write ({error.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)
