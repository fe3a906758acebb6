# SPDX-License-Identifier: Apache-2.0
"""One optimisation step, and the learning-rate schedule over a stage."""

from __future__ import annotations

import math

import torch
from torch import nn

from codesign.nn.codenet import CoDeNet
from codesign.nn.quant import ActQuant
from codesign.train.loss import detection_loss
from codesign.train.recipe import Recipe


def schedule(step: float, total: int, warmup: int) -> float:
    """Linear warm-up (at most a tenth of the stage), cosine to zero."""
    warmup = min(warmup, max(1, total // 10))
    return min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))))


def train_step(
    model: CoDeNet, batch: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer, recipe: Recipe, half: bool
) -> float:
    """Forward, loss, clipped update; `half` is bf16 autocast. Returns the loss."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        heads = model(batch["image"])
    loss = detection_loss(heads, batch, recipe.size_weight)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    optimiser.step()
    _keep_ranges_positive(model)
    return float(loss.detach())


@torch.no_grad()
def _keep_ranges_positive(model: CoDeNet) -> None:
    for module in model.modules():
        if isinstance(module, ActQuant):
            module.threshold.clamp_(min=1e-3)
