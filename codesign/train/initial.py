# SPDX-License-Identifier: Apache-2.0
"""Weights to start from: a float model file, or an ImageNet ShuffleNetV2 in torchvision's naming.

CoDeNet's backbone is ShuffleNetV2 (arXiv 1807.11164) layer by layer, so torchvision's weights fit it. Theirs expect
(pixel / 255 - mean) / std, ours takes (pixel - 128) / 128: the gain goes into the first convolution's weights, the
shift into the running mean behind it (exact but for the zero padding at the image's edge).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from codesign.bounded import check_size, reason
from codesign.errors import UserError
from codesign.nn.codenet import CoDeNet
from codesign.nn.container import MAX_BYTES
from codesign.nn.float_file import load_float
from codesign.nn.layer_bits import STAGE_UNITS

_MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training pixels over 255, R, G, B
_STD = (0.229, 0.224, 0.225)
_CONV_BN = ("weight", "bias", "running_mean", "running_var")


def start_from(model: CoDeNet, path: Path) -> str:
    """Load `path` into the model; returns a line that says what was taken."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; check the path")
    if path.suffix in (".pth", ".pt"):
        return _imagenet(model, path, _state_dict(path))
    check_size(path, MAX_BYTES)
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: not a readable weights file ({reason(error, 160)}); copy or download it again") from None
    if "conv1.0.weight" in state:
        return _imagenet(model, path, state)
    return _own(model, path)


def _own(model: CoDeNet, path: Path) -> str:
    other, info = load_float(path)
    if info.config != model.config:
        theirs, mine = info.config.to_json(), model.config.to_json()
        name = next(k for k in mine if mine[k] != theirs[k])
        if name not in ("weight_bits", "stem_bits", "layer_bits"):
            raise UserError(f"{path}: its network has {name} {theirs[name]!r}, this one {mine[name]!r}; choose the same")
    wanted = model.state_dict()
    model.load_state_dict({k: v for k, v in other.state_dict().items() if k in wanted})
    return f"starting from {path}"


def _state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors by name from PyTorch's format, without running anything the file holds."""
    check_size(path, MAX_BYTES)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file makes the reader raise anything
        raise UserError(f"{path}: not a weights file ({reason(error, 100)}); copy or download it again") from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path}: not a state dict; save model.state_dict() of torchvision's shufflenet_v2")
    return state


@torch.no_grad()
def _imagenet(model: CoDeNet, path: Path, state: dict[str, Tensor]) -> str:
    """Backbone weights by torchvision's names; the last convolution only where its width agrees."""
    mine = model.state_dict()
    for theirs, ours in _names(model):
        for conv, name in ((theirs[0], f"{ours}.conv"), (theirs[1], f"{ours}.bn")):
            for field in ("weight",) if conv == theirs[0] else _CONV_BN:
                value = state.get(f"{conv}.{field}")
                if value is None or value.shape != mine[f"{name}.{field}"].shape:
                    found = "is missing" if value is None else f"is {list(value.shape)}"
                    wanted = list(mine[f"{name}.{field}"].shape)
                    raise UserError(f"{path}: {conv}.{field} {found}, not {wanted}; give ShuffleNetV2 weights of this width")
                mine[f"{name}.{field}"].copy_(value)
    _adapt_stem(mine)
    model.load_state_dict(mine)
    skipped = "" if _last_fits(model) else f"; conv5 has another width than {model.last.conv.out_channels} and starts at random"
    return f"starting from the backbone in {path}{skipped}"


def _last_fits(model: CoDeNet) -> bool:
    """ShuffleNetV2 2.0x ends in 2,048 channels, CoDeNet's in 2,153."""
    return model.config.width != 2.0


def _names(model: CoDeNet) -> list[tuple[tuple[str, str], str]]:
    """((convolution, BN) in torchvision's naming, unit in ours)."""
    names = [(("conv1.0", "conv1.1"), "stem")]
    for stage, units in enumerate(STAGE_UNITS, 1):
        for unit in range(units):
            theirs, ours = f"stage{stage + 1}.{unit}", f"stage{stage}.{unit}"
            if unit == 0:
                names += [((f"{theirs}.branch1.0", f"{theirs}.branch1.1"), f"{ours}.left.depthwise"),
                          ((f"{theirs}.branch1.2", f"{theirs}.branch1.3"), f"{ours}.left.expand")]  # fmt: skip
            for part, (conv, bn) in {"reduce": (0, 1), "depthwise": (3, 4), "expand": (5, 6)}.items():
                names.append(((f"{theirs}.branch2.{conv}", f"{theirs}.branch2.{bn}"), f"{ours}.right.{part}"))
    return [*names, (("conv5.0", "conv5.1"), "last")] if _last_fits(model) else names


def _adapt_stem(state: dict[str, Tensor]) -> None:
    """In place: from torchvision's input to (pixel - 128) / 128."""
    weight, mean, std = state["stem.conv.weight"], torch.tensor(_MEAN), torch.tensor(_STD)
    shift = ((128 / 255 - mean) / std).view(1, 3, 1, 1)
    state["stem.bn.running_mean"].sub_((weight * shift).sum((1, 2, 3)))
    weight.mul_((128 / 255 / std).view(1, 3, 1, 1))
