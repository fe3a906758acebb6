# SPDX-License-Identifier: Apache-2.0
"""Distillation from the float network: the quantised one is to give the same head maps (arXiv 1503.02531)."""

from __future__ import annotations

import torch
from torch import Tensor

from codesign.nn.codenet import CoDeNet
from codesign.train.loss import picked


def distillation_loss(
    heads: dict[str, Tensor], teacher: CoDeNet, batch: dict[str, Tensor], size_weight: float
) -> Tensor:
    """Squared difference of heatmap probabilities per object, and L1 of size and offset at object centres.

    The teacher sees the same images [B, 3, H, W] in its own mode (float, running statistics) and gets no gradient.
    """
    with torch.no_grad(), torch.autocast(batch["image"].device.type, torch.bfloat16):
        wanted = {name: value.float() for name, value in teacher(batch["image"]).items()}
    mask = batch["mask"].unsqueeze(-1)
    objects = batch["mask"].sum().clamp(min=1)
    loss = (torch.sigmoid(heads["hm"].float()) - torch.sigmoid(wanted["hm"])).square().sum() / objects
    for name, weight in (("wh", size_weight), ("reg", 1.0)):
        apart = (picked(heads[name], batch["index"]) - picked(wanted[name], batch["index"])).abs()
        loss = loss + weight * (apart * mask).sum() / objects
    return loss
