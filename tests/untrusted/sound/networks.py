# SPDX-License-Identifier: Apache-2.0
"""Models: ONNX, trained, floating point, checkpoints, start weights.

Sound files, small, and the readers that commands use on them. Imports are where they are needed: a process reads some kinds.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any


def onnx_model(folder: Path) -> Path:
    from tests.onnx.builder import Builder

    b = Builder(3, 8)
    x = b.relu_quant(b.conv(b.quant("image", 1 / 128), 3, 8, 3, name="first"))
    y = b.relu_quant(b.conv(x, 8, 8, 3, group=8, name="second"))
    return b.save(folder / "model.onnx", b.quant(b.op("Add", [x, y]), 1 / 8))


def read_onnx(path: Path) -> None:
    from codesign.onnx.importer import examine

    examine(path)


@cache
def _network() -> Any:
    from tests.nn.small import quantised, small_config

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantised(small_config())


_LABELS = ["cat", "dog", "bird"]


def model(folder: Path) -> Path:
    from codesign.nn.model_file import save_model

    save_model(folder / "model.safetensors", _network(), labels=_LABELS, metrics={"ap50": 0.5}, recipe={"fit": "stretch"})
    return folder / "model.safetensors"


def read_model(path: Path) -> None:
    from codesign.nn.model_file import load_model

    _, info = load_model(path)
    assert all(value is None or isinstance(value, float | int) for value in info.metrics.values())


def float_model(folder: Path) -> Path:
    from codesign.nn.float_file import save_float

    save_float(folder / "float.safetensors", _network(), _LABELS, {"ap50": 0.5}, {"augment": {"scale": [0.5, 1.5]}})
    return folder / "float.safetensors"


def read_float_model(path: Path) -> None:
    """As `codesign ptq` does."""
    from codesign.quantise.source import _augmentation, load_source

    _, info = load_source(path, path.parent, _network().config)
    _augmentation(info)


def _training() -> tuple[Any, Any, Any]:
    """Network, average and optimiser as a run has them."""
    import copy

    from codesign.train.ema import Ema
    from codesign.train.recipe import Recipe
    from codesign.train.stage import make_optimiser, stages

    recipe = Recipe()
    network = copy.deepcopy(_network())
    return network, Ema(network, 0.9), make_optimiser(network, recipe, stages(recipe)[0])


def checkpoint(folder: Path) -> Path:
    from codesign.train.checkpoint import Progress, save_checkpoint

    network, average, optimiser = _training()
    for parameter in network.parameters():
        parameter.grad = parameter.detach().clone()
    optimiser.step()
    save_checkpoint(folder / "checkpoint.safetensors", Progress(1, "f", {"ap50": 0.5}, "float", 3, 0.5), network, average, optimiser)
    return folder / "checkpoint.safetensors"


def read_checkpoint(path: Path) -> None:
    """As a run that goes on does: one step further."""
    import math

    from codesign.train.checkpoint import load_checkpoint, load_optimiser, read_progress

    progress = read_progress(path)
    assert math.isfinite(progress.loss)
    network, average, optimiser = _training()
    load_checkpoint(path, network, average)
    load_optimiser(path, optimiser)
    for parameter in network.parameters():
        parameter.grad = parameter.detach().clone()
    optimiser.step()
    average.update(network)


def weights(folder: Path) -> Path:
    import torch

    torch.save(_network().state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def read_weights(path: Path) -> None:
    from codesign.train.initial import _state_dict, start_from

    if path.exists():
        _state_dict(path)
    else:
        start_from(_network(), path)
