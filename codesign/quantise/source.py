# SPDX-License-Identifier: Apache-2.0
"""What quantisation starts from: a float model file, or a checkpoint of a float stage; and images of a data folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from codesign.bounded import check_size, reason
from codesign.data.augment import Augment
from codesign.data.folder import read_classes, read_split
from codesign.errors import UserError
from codesign.nn.codenet import CoDeNet
from codesign.nn.config import NetConfig
from codesign.nn.container import MAX_BYTES, ModelInfo
from codesign.nn.float_file import load_float
from codesign.train.batches import SceneCache
from codesign.train.checkpoint import SCHEMA as CHECKPOINT
from codesign.train.checkpoint import load_checkpoint, read_progress
from codesign.train.ema import Ema

_SEED = 1_000_000  # of augmented views; training draws epochs from small ones


def load_source(path: Path, data: Path, config: NetConfig) -> tuple[CoDeNet, ModelInfo]:
    """The float network in eval mode. A checkpoint's is its average, for a network like `config` and the folder's classes."""
    path = Path(path)
    if not _is_checkpoint(path):
        return load_float(path)
    labels = read_classes(data)
    model = CoDeNet(replace(config, classes=len(labels))).to(memory_format=torch.channels_last)
    ema = Ema(model, 0.0)
    try:
        load_checkpoint(path, model, ema)
    except UserError:
        wanted = "give the --config and --form it was trained with, or a float.safetensors"
        raise UserError(f"{path}: no checkpoint of this network; {wanted}") from None
    progress = read_progress(path)
    if progress.stage == "quantised":
        raise UserError(f"{path}: a checkpoint of the quantised stage; give the run's float.safetensors")
    ema.copy_to(model)
    return model.eval(), ModelInfo(model.config, tuple(labels), progress.metrics)


def _is_checkpoint(path: Path) -> bool:
    if not path.is_file():
        raise UserError(f"{path}: no such float model; give the float.safetensors of a run")
    check_size(path, MAX_BYTES)
    try:
        with safe_open(str(path), framework="numpy") as file:
            return CHECKPOINT in (file.metadata() or {}).get("codesign", "")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: not a readable model file ({reason(error, 160)}); copy or train it again") from None


def pictures(data: Path, split: str, info: ModelInfo, count: int | None = None) -> SceneCache:
    """A split in memory, or `count` images evenly spread over it."""
    samples = read_split(data, split, list(info.labels))
    if count is not None and count < len(samples):
        samples = [samples[k] for k in np.linspace(0, len(samples) - 1, count).round().astype(int)]
    return SceneCache(samples, len(info.labels), info.config.input_size, info.fit)


def augmented_batches(data: Path, info: ModelInfo, count: int, batch: int = 16) -> list[Tensor]:
    """Training images [B, 3, H, W] augmented as the float model's recipe says, as training saw them."""
    cache = pictures(data, "train", info, count)
    return [views["image"] for views in cache.epoch(_SEED, 0, batch, _augmentation(info))]


def _augmentation(info: ModelInfo) -> Augment:
    values = info.recipe.get("augment")
    if not isinstance(values, dict):
        return Augment()
    try:
        return Augment(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    except (TypeError, ValueError):
        raise UserError("the float model's recipe holds an augmentation that this version does not know; train again") from None


def calibration_batches(data: Path, info: ModelInfo, count: int, batch: int = 16) -> list[Tensor]:
    """Plain (not augmented) training images [B, 3, H, W], as the deployed network sees them."""
    return [images for images, _ in pictures(data, "train", info, count).plain(batch)]
