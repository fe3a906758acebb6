# SPDX-License-Identifier: Apache-2.0
"""The stages of a training run: float, then quantised; what differs between them, and their optimiser."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from codesign.train.recipe import Recipe
from codesign.train.step import cosine, drops


@dataclass(frozen=True)
class Stage:
    """Epochs first..end-1 of the run, all in one mode."""

    name: str  # 'float' | 'quantised'
    first: int
    epochs: int
    batch: int
    lr: float
    quantised: bool

    @property
    def end(self) -> int:
        """Epochs done when the stage is over."""
        return self.first + self.epochs


def stages(recipe: Recipe) -> tuple[Stage, Stage]:
    """Both stages of a recipe; either may have no epochs."""
    return (
        Stage("float", 0, recipe.float_epochs, recipe.batch, recipe.lr, False),
        Stage("quantised", recipe.float_epochs, recipe.qat_epochs, recipe.qat_batch, recipe.qat_lr, True),
    )


def learning_rate(recipe: Recipe, stage: Stage, step: int, total: int) -> float:
    """Rate of update `step` of the stage's `total`."""
    shape = cosine if recipe.schedule == "cosine" else drops
    return stage.lr * shape(step, total, recipe.warmup_steps)


def make_optimiser(model: nn.Module, recipe: Recipe, stage: Stage) -> torch.optim.Optimizer:
    """AdamW over everything: no decay on BN, biases, activation ranges and offsets; offsets at a rate of their own."""
    named = list(model.named_parameters())
    offset = [p for n, p in named if ".offset." in n]
    decayed = [p for n, p in named if p.ndim == 4 and ".offset." not in n]
    plain = [p for n, p in named if p.ndim != 4 and ".offset." not in n]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay, "factor": 1.0},
              {"params": plain, "weight_decay": 0.0, "factor": 1.0},
              {"params": offset, "weight_decay": 0.0, "factor": recipe.offset_lr}]  # fmt: skip
    return torch.optim.AdamW(groups, lr=stage.lr)
