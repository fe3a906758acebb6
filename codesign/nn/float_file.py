# SPDX-License-Identifier: Apache-2.0
"""The full-precision network as one safetensors file: what post-training quantisation and sensitivity start from.

Tensors: the network's state dict by its own names (float32 weights, BN parameters and running statistics, activation
ranges; int64 batch counts), with live BN. The header is that of `codesign.nn.container`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codesign.errors import UserError
from codesign.nn import container
from codesign.nn.container import ModelInfo, Tensors, checked

if TYPE_CHECKING:
    from codesign.nn.codenet import CoDeNet

SCHEMA = "codesign-float-1"


def save_float(
    path: Path, model: CoDeNet, labels: list[str], metrics: dict[str, float | None] | None = None,
    recipe: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write a network with live BN in full precision, atomically; its quantiser modes do not matter."""
    from codesign.nn.codenet import is_fused

    if is_fused(model):
        raise UserError(f"{path}: a network with folded BN is no float model; save it before it is fused")
    state = {name: value.detach().cpu().contiguous().numpy().copy() for name, value in model.state_dict().items()}
    container.write(path, SCHEMA, state, ModelInfo(model.config, tuple(labels), metrics or {}, recipe or {}))


def read_float_info(path: Path) -> ModelInfo:
    """Config, labels, metrics, recipe and sha256, without loading the network."""
    return container.read(path, SCHEMA)[0]


def is_float(path: Path | None) -> bool:
    """Whether this is a float model file, by its header."""
    try:
        return path is not None and bool(read_float_info(path))
    except UserError:
        return False


def load_float(path: Path) -> tuple[CoDeNet, ModelInfo]:
    """The float network in eval mode, quantisers off; a damaged or foreign file is a `UserError`."""
    import torch

    from codesign.nn.codenet import CoDeNet

    path = Path(path)
    info, tensors = container.read(path, SCHEMA)
    container.verify(path, info, tensors)
    model = CoDeNet(info.config)
    wanted = {name: (tuple(value.shape), value.numpy().dtype) for name, value in model.state_dict().items()}
    container.expect(path, tensors, set(wanted))
    for name, (shape, dtype) in wanted.items():
        checked(path, name, tensors, shape, dtype)
    _refuse_impossible(path, tensors)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return model.to(memory_format=torch.channels_last).eval(), info


def _refuse_impossible(path: Path, tensors: Tensors) -> None:
    for name, value in tensors.items():
        variance, span = name.endswith("running_var"), name.endswith("scaling_impl.value")
        if (variance and np.any(value < 0)) or (span and np.any(value <= 0)):
            raise UserError(f"{path}: damaged model file ({name} is not positive); copy or train it again")
