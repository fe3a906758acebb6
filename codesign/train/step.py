# SPDX-License-Identifier: Apache-2.0
"""One optimisation step, and the shapes of the learning rate over a stage."""

from __future__ import annotations

import math

import torch
from torch import nn

from codesign.nn.codenet import CoDeNet
from codesign.nn.quant import ActQuant
from codesign.train.distil import distillation_loss
from codesign.train.loss import detection_loss
from codesign.train.recipe import Recipe

_DROPS = (50 / 90, 70 / 90)  # of a stage: CoDeNet's drops after epochs 50 and 70 of 90


def cosine(step: float, total: int, warmup: int) -> float:
    """Linear warm-up (at most a tenth of the stage), cosine to zero."""
    return min(_warm(step, total, warmup), 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))))


def drops(step: float, total: int, warmup: int) -> float:
    """Linear warm-up, then a tenth of the rate after each of the published drops."""
    return min(_warm(step, total, warmup), 0.1 ** sum(step >= share * total for share in _DROPS))


def _warm(step: float, total: int, warmup: int) -> float:
    return (step + 1) / min(warmup, max(1, total // 10))


def train_step(
    model: CoDeNet, batch: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer, recipe: Recipe, half: bool,
    teacher: CoDeNet | None = None,
) -> float:  # fmt: skip
    """Forward, loss, clipped update; `half` is bf16 autocast. With a teacher its heads are matched, too or instead."""
    with torch.autocast(batch["image"].device.type, torch.bfloat16, enabled=half):
        heads = model(batch["image"])
    loss = _loss(heads, batch, recipe, teacher)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    optimiser.step()
    _keep_ranges_positive(model)
    return float(loss.detach())


def _loss(heads: dict[str, torch.Tensor], batch: dict[str, torch.Tensor], recipe: Recipe, teacher: CoDeNet | None) -> torch.Tensor:
    """The annotations', and with a teacher its heads', each by the recipe's weight."""
    if teacher is None:
        return detection_loss(heads, batch, recipe.size_weight, recipe.iou_weight)
    loss = recipe.distil * distillation_loss(heads, teacher, batch, recipe.size_weight)
    if recipe.annotations:
        loss = loss + recipe.annotations * detection_loss(heads, batch, recipe.size_weight, recipe.iou_weight)
    return loss


@torch.no_grad()
def _keep_ranges_positive(model: CoDeNet) -> None:
    for module in model.modules():
        if isinstance(module, ActQuant):
            module.threshold.clamp_(min=1e-3)
