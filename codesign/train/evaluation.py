# SPDX-License-Identifier: Apache-2.0
"""AP50 of a PyTorch network over a cached split."""

from __future__ import annotations

import torch

from codesign.decode import Detections, decode
from codesign.evaluate.ap import ApResult, Truth, ap50
from codesign.nn.codenet import CoDeNet, fuse
from codesign.train.batches import SceneCache


@torch.no_grad()
def evaluate(model: CoDeNet, data: SceneCache, batch: int = 16) -> ApResult:
    """Fold BN, run every image in float32 with the model's quantisers as they are, decode, score."""
    device = next(model.parameters()).device
    net = fuse(model).to(device, memory_format=torch.channels_last)
    detections: list[Detections] = []
    truths: list[Truth] = []
    for images, wanted in data.plain(batch):
        heads = {k: v.float().cpu().numpy() for k, v in net(images.to(device)).items()}
        detections += [decode(heads["hm"][n], heads["wh"][n], heads["reg"][n]) for n in range(len(wanted))]
        truths += wanted
    return ap50(detections, truths, model.config.classes)
