# SPDX-License-Identifier: Apache-2.0
"""What is measured of a trained network: AP50 (per class, per height of object) and where its taps lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from codesign.decode import Detections, decode
from codesign.evaluate.ap import ApResult, ap50
from codesign.evaluate.truth import Truth
from codesign.nn.codenet import CoDeNet, fuse
from codesign.train.batches import SceneCache

FARTHEST = 31  # the last bin of a histogram counts this distance and all beyond
BANDS = {"small": (0.0, 20.0), "medium": (20.0, 40.0), "large": (40.0, float("inf"))}  # heights in input pixels


@dataclass(frozen=True)
class Measured:
    """`offsets[layer][n]`: how often the distance n occurred in that layer, over all pixels (and pairs) of the test scenes."""

    ap50: ApResult
    by_height: dict[str, float]
    offsets: dict[str, list[int]]


@torch.no_grad()
def measure(model: CoDeNet, data: SceneCache, batch: int = 16) -> Measured:
    """Fold BN and run the test scenes in float32."""
    net = fuse(model).to(memory_format=torch.channels_last)
    counts: dict[str, np.ndarray] = {}
    hooks = [_count(net, name, counts) for name in ("decoder1", "decoder2", "decoder3")]
    detections: list[Detections] = []
    truths: list[Truth] = []
    for images, wanted in data.plain(batch):
        heads = {k: v.float().numpy() for k, v in net(images).items()}
        detections += [decode(heads["hm"][n], heads["wh"][n], heads["reg"][n]) for n in range(len(wanted))]
        truths += wanted
    for hook in hooks:
        if hook is not None:
            hook.remove()
    classes = model.config.classes
    by_height = {name: _band(detections, truths, classes, *span) for name, span in BANDS.items()}
    return Measured(ap50(detections, truths, classes), by_height, {k: v.tolist() for k, v in counts.items()})


def _count(net: CoDeNet, name: str, counts: dict[str, np.ndarray]) -> torch.utils.hooks.RemovableHandle | None:
    offset = getattr(net, name).offset
    if offset is None:
        return None
    counts[name] = np.zeros(FARTHEST + 1, np.int64)

    def keep(_module: object, _inputs: object, output: Tensor) -> None:
        counts[name] += np.bincount(reach(output).clamp(max=FARTHEST).long().flatten().numpy(), minlength=FARTHEST + 1)

    return offset.register_forward_hook(keep)


def reach(offset: Tensor) -> Tensor:
    """Whole pixels, rounded: the distance of a square [B, 1, H, W]; the longer side of each pair [B, 9, H, W]."""
    if offset.shape[1] == 1:
        return offset.round()
    b, _, h, w = offset.shape
    return offset.view(b, 9, 2, h, w).abs().amax(2).round()


def _band(detections: list[Detections], truths: list[Truth], classes: int, low: float, high: float) -> float:
    """Mean AP50 of objects low <= height < high; boxes of other heights count neither as found nor as false."""
    wanted = [replace(t, difficult=t.difficult | ~_within(t.boxes, low, high)) for t in truths]
    mine = []
    for found, truth in zip(detections, wanted, strict=True):
        keep = _within(found.boxes, low, high) | _touches(found, truth)
        mine.append(Detections(found.boxes[keep], found.scores[keep], found.labels[keep]))
    return ap50(mine, wanted, classes).mean


def _within(boxes: np.ndarray, low: float, high: float) -> np.ndarray:
    height = boxes[:, 3] - boxes[:, 1]
    return (low <= height) & (height < high)


def _touches(found: Detections, truth: Truth) -> np.ndarray:
    """Detections that find a box of this band although they are a little too high or low for it."""
    boxes, mine = truth.boxes[~truth.difficult.astype(bool)], found.boxes
    if not len(boxes) or not len(mine):
        return np.zeros(len(mine), bool)
    side = np.minimum(mine[:, None, 2:], boxes[None, :, 2:]) - np.maximum(mine[:, None, :2], boxes[None, :, :2])
    inter = np.maximum(side, 0).prod(-1)
    area = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (mine, boxes)]
    return (inter / (area[0][:, None] + area[1][None] - inter) >= 0.5).any(1)
