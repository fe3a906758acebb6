# SPDX-License-Identifier: Apache-2.0
"""Exponential moving average of a model's parameters and buffers, by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ema:
    """average = decay * average + (1 - decay) * value, with the decay ramped over the first steps."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take one step towards the model; integer buffers are copied."""
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, share)
            else:
                self.average[name].copy_(value)

    def copy_to(self, model: nn.Module) -> None:
        """Load the average into a model of the same structure."""
        model.load_state_dict(self.average)

    def load(self, state: dict[str, Tensor], steps: int) -> None:
        """Resume."""
        self.average, self.steps = {k: v.clone() for k, v in state.items()}, steps
