# SPDX-License-Identifier: Apache-2.0
"""AP50 of a network beside how far its head maps are from a reference network's, over pictures run again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from codesign.decode import decode
from codesign.evaluate.ap import ap50
from codesign.nn.codenet import CoDeNet
from codesign.train.batches import SceneCache

Maps = dict[str, np.ndarray]


@dataclass(frozen=True)
class Score:
    """ap50 in 0..1; `error`: squared error of the heads over the spread of the reference's, mean of the three heads."""

    ap50: float
    error: float


class Bench:
    """Scores networks on the same pictures. The first network scored is the reference of `error`."""

    def __init__(self, data: SceneCache, batch: int = 16) -> None:
        self.classes = data.classes
        pairs = list(data.plain(batch))
        self._images = [images for images, _ in pairs]
        self._truths = [truth for _, truths in pairs for truth in truths]
        self._reference: Maps | None = None

    def score(self, net: CoDeNet) -> Score:
        """Runs every picture in float32 with the network's quantisers as they are, in eval mode."""
        maps = self._run(net)
        if self._reference is None:
            self._reference = maps
        found = [decode(*(maps[name][k] for name in ("hm", "wh", "reg"))) for k in range(len(self._truths))]
        return Score(ap50(found, self._truths, self.classes).mean, _distance(maps, self._reference))

    @torch.no_grad()
    def _run(self, net: CoDeNet) -> Maps:
        net.eval()
        parts = [{name: value.float().numpy() for name, value in net(images).items()} for images in self._images]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _distance(maps: Maps, reference: Maps) -> float:
    shares = []
    for name, want in reference.items():
        spread = float(np.var(want, dtype=np.float64))
        shares.append(float(np.mean((maps[name] - want) ** 2, dtype=np.float64)) / max(spread, 1e-12))
    return float(np.mean(shares))
