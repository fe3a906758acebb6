# SPDX-License-Identifier: Apache-2.0
"""Where runs start: one trained plain 3x3 detector, in the place of published networks' ImageNet weights.

Every form starts as the same function of the image: offsets at the plain kernel's positions (distance 1, pairs 0), a
7x7 kernel as the 3x3 one with zeros around it. What a run then gains is what its form can learn and plain 3x3 cannot.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from codesign.nn.codenet import CoDeNet
from codesign.study.plan import CLASSES, Run, StudyPlan
from codesign.study.variant import VARIANTS, Variant
from codesign.train.checkpoint import atomic_save

_SHARED = (".conv.weight", ".conv.bias", ".bn.")


def plain_model(plan: StudyPlan, seed: int) -> CoDeNet:
    """The untrained network that the start is trained from."""
    return _fresh(VARIANTS["plain3"], plan.size, seed)


def save_start(model: CoDeNet, path: Path, about: dict[str, str]) -> None:
    """Weights and statistics of a trained plain network."""
    atomic_save({k: v.clone() for k, v in model.state_dict().items() if _shared(k)}, path, about)


def start_model(run: Run, start: Path) -> CoDeNet:
    """The network of a run before its first step."""
    model = _fresh(run.variant, run.plan.size, run.seed)
    own = model.state_dict()
    with torch.no_grad():
        for name, value in load_file(start).items():
            own[name].copy_(_widened(value, own[name]))
    return model


def _widened(kernel: Tensor, like: Tensor) -> Tensor:
    """A kernel [C, 1, k, k] in the middle of a larger one; anything else as it is."""
    border = (like.shape[-1] - kernel.shape[-1]) // 2 if like.ndim == 4 else 0
    return F.pad(kernel, (border,) * 4) if border else kernel


def _fresh(form: Variant, size: int, seed: int) -> CoDeNet:
    torch.manual_seed(seed)
    return CoDeNet(form.network(size, CLASSES)).to(memory_format=torch.channels_last)


def _shared(name: str) -> bool:
    return any(part in name for part in _SHARED)
