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
    return ((picked(head, index) - target).abs() * mask.unsqueeze(-1)).sum() / mask.sum().clamp(min=1)


def centre_giou(heads: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
    """Mean 1 - generalised IoU (arXiv 1902.09630) of the boxes read at object centres.

    Unlike L1 on sizes it weighs an error by the size of its object, as the metric does.
    """
    size, offset = (picked(heads[name], batch["index"]) for name in ("wh", "reg"))
    size = size.clamp(min=0.1)
    mine = torch.cat([offset - size / 2, offset + size / 2], -1)
    true = torch.cat([batch["offset"] - batch["size"] / 2, batch["offset"] + batch["size"] / 2], -1)
    common = (torch.minimum(mine[..., 2:], true[..., 2:]) - torch.maximum(mine[..., :2], true[..., :2])).clamp(min=0)
    hull = torch.maximum(mine[..., 2:], true[..., 2:]) - torch.minimum(mine[..., :2], true[..., :2])
    inter, outer = common.prod(-1), hull.prod(-1).clamp(min=1e-6)
    union = (size.prod(-1) + batch["size"].prod(-1) - inter).clamp(min=1e-6)
    giou = inter / union - (outer - union) / outer
    return ((1 - giou) * batch["mask"]).sum() / batch["mask"].sum().clamp(min=1)


def picked(head: Tensor, index: Tensor) -> Tensor:
    """Head values [B, 2, h, w] at positions int64 [B, n]: float32 [B, n, 2]."""
    flat = head.float().flatten(2).transpose(1, 2)
    return flat.gather(1, index.unsqueeze(-1).expand(-1, -1, 2))


def detection_loss(
    heads: dict[str, Tensor], batch: dict[str, Tensor], size_weight: float, iou_weight: float = 0.0
) -> Tensor:
    """Focal + size_weight * L1(size) + L1(offset) + iou_weight * (1 - GIoU)."""
    loss = focal_loss(heads["hm"], batch["heatmap"])
    loss = loss + size_weight * centre_l1(heads["wh"], batch["index"], batch["size"], batch["mask"])
    loss = loss + centre_l1(heads["reg"], batch["index"], batch["offset"], batch["mask"])
    return loss + iou_weight * centre_giou(heads, batch) if iou_weight else loss
