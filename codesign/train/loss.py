# SPDX-License-Identifier: Apache-2.0
"""CenterNet losses (arXiv 1904.07850): penalty-reduced focal loss on the heatmap, L1 on size and offset at centres."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """logits, target [B, classes, h, w]; target is 1 at centres. Sum over the batch divided by the object count."""
    logits = logits.float()
    log_p, log_n = F.logsigmoid(logits), F.logsigmoid(-logits)
    p = torch.sigmoid(logits)
    peak = target.eq(1).float()
    positive = (log_p * (1 - p) ** 2 * peak).sum()
    negative = (log_n * p**2 * (1 - target) ** 4 * (1 - peak)).sum()
    return -(positive + negative) / peak.sum().clamp(min=1)


def centre_l1(head: Tensor, index: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean L1 at object centres: head [B, 2, h, w], index int64 [B, n], target [B, n, 2], mask bool [B, n]."""
    flat = head.float().flatten(2).transpose(1, 2)
    picked = flat.gather(1, index.unsqueeze(-1).expand(-1, -1, 2))
    return ((picked - target).abs() * mask.unsqueeze(-1)).sum() / mask.sum().clamp(min=1)


def detection_loss(heads: dict[str, Tensor], batch: dict[str, Tensor], size_weight: float) -> Tensor:
    """Focal + size_weight * L1(size) + L1(offset)."""
    loss = focal_loss(heads["hm"], batch["heatmap"])
    loss = loss + size_weight * centre_l1(heads["wh"], batch["index"], batch["size"], batch["mask"])
    return loss + centre_l1(heads["reg"], batch["index"], batch["offset"], batch["mask"])
