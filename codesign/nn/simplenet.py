# SPDX-License-Identifier: Apache-2.0
"""SimpleNet with quantisers: plain 3x3 convolutions. Source: arXiv 1608.06037."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from codesign.nn.blocks import Average, ConvUnit
from codesign.nn.quant import ActQuant
from codesign.nn.zoo import SIMPLENET_LAYERS, SimplenetConfig


class SimpleNet(nn.Module):
    """Image [B, 3, H, W] as (pixel - 128) / 128 -> {"logits": [B, classes, 1, 1]}."""

    def __init__(self, config: SimplenetConfig) -> None:
        super().__init__()
        self.config, cin, number = config, 3, 0
        for layer in SIMPLENET_LAYERS:
            if isinstance(layer, str):
                continue
            number, (cout, kernel) = number + 1, layer
            bits = config.stem_bits if number == 1 else config.weight_bits
            setattr(self, f"conv{number}", ConvUnit(cin, cout, kernel, ActQuant(True), bits=bits))
            cin = cout
        self.average = Average(ActQuant(True))
        self.classifier = ConvUnit(cin, config.classes, 1, ActQuant(False), bits=config.weight_bits, bn=False, bias=True)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs by name."""
        x, number = image, 0
        for layer in SIMPLENET_LAYERS:
            if isinstance(layer, str):
                x = F.max_pool2d(x, 2, 2)
            else:
                number += 1
                x = getattr(self, f"conv{number}")(x)
        return {"logits": self.classifier(self.average(x))}
