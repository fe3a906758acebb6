# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 with quantisers: a classifier, or a backbone in front of CoDeNet's decoder and heads.

Source: arXiv 1801.04381. As in `codesign.nn.codenet` one module tree is the float and the quantised network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codesign.nn.blocks import Average, Bits, ConvUnit, DecoderBlock, Head, Sum
from codesign.nn.codenet import HEADS, HEATMAP_BIAS, SIZE_BIAS
from codesign.nn.config import NetConfig
from codesign.nn.quant import ActQuant
from codesign.nn.zoo import MOBILENET_STAGES, MobilenetConfig, Residual

RELU6 = 6.0


class Relu6Quant(ActQuant):
    """An unsigned quantiser that ends at 6 at most; passed through it is ReLU6."""

    def __init__(self) -> None:
        super().__init__(True)

    def forward(self, x: Tensor) -> Tensor:
        """Real values in, real values out."""
        y = super().forward(x)
        return y if self.enabled else y.clamp(max=RELU6)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Set the range from what was observed, 6 at most."""
        super().calibrate()
        self.threshold.clamp_(max=RELU6)


class InvertedResidual(nn.Module):
    """1x1-BN-ReLU6 (`expand`), DW 3x3-BN-ReLU6 (`depthwise`), 1x1-BN (`project`); `add` where the shapes allow it."""

    def __init__(self, block: Residual, bits: int) -> None:
        super().__init__()
        wide = block.cin * block.expansion
        self.expand = ConvUnit(block.cin, wide, 1, Relu6Quant(), bits=bits) if block.expansion > 1 else None
        self.depthwise = ConvUnit(wide, wide, 3, Relu6Quant(), bits=bits, stride=block.stride, groups=wide)
        self.project = ConvUnit(wide, block.cout, 1, ActQuant(False), bits=bits)
        self.add = Sum(ActQuant(False)) if block.added else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H / stride, W / stride]."""
        y = self.project(self.depthwise(x if self.expand is None else self.expand(x)))
        return y if self.add is None else self.add(x, y)


class MobileNetV2(nn.Module):
    """Image [B, 3, H, W] as (pixel - 128) / 128 -> {"logits": [B, classes, 1, 1]}, or CoDeNet's head maps by name."""

    def __init__(self, config: MobilenetConfig) -> None:
        super().__init__()
        self.config, bits = config, config.weight_bits
        self.stem = ConvUnit(3, config.stem_channels, 3, Relu6Quant(), bits=config.stem_bits, stride=2)
        blocks = iter(config.blocks)
        for number, (_, _, count, _) in enumerate(MOBILENET_STAGES, start=1):
            setattr(self, f"stage{number}", nn.Sequential(*(InvertedResidual(next(blocks), bits) for _ in range(count))))
        cin = config.blocks[-1].cout
        self.last = ConvUnit(cin, config.last_channels, 1, Relu6Quant(), bits=bits)
        cin = config.last_channels
        if not config.detector:
            self.average = Average(ActQuant(True))
            self.classifier = ConvUnit(cin, config.classes, 1, ActQuant(False), bits=bits, bn=False, bias=True)
            return
        detector = decoder_config(config)
        same = Bits(detector)
        for number, cout in enumerate(config.decoder, start=1):
            setattr(self, f"decoder{number}", DecoderBlock(cin, cout, detector, same.under(f"decoder{number}")))
            cin = cout
        self.hm = Head(cin, config.classes, same.under("hm"), bias=HEATMAP_BIAS)
        self.wh = Head(cin, 2, same.under("wh"), bias=SIZE_BIAS)
        self.reg = Head(cin, 2, same.under("reg"))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs by name."""
        x = self.features(image)
        if not self.config.detector:
            return {"logits": self.classifier(self.average(x))}
        x = self.decoder3(self.decoder2(self.decoder1(x)))
        return {name: getattr(self, name)(x) for name in HEADS}

    def features(self, image: Tensor) -> Tensor:
        """The backbone alone: [B, 3, H, W] -> [B, C, H/32, W/32]."""
        x = self.stem(image)
        for number in range(1, len(MOBILENET_STAGES) + 1):
            x = getattr(self, f"stage{number}")(x)
        return self.last(x)


def decoder_config(config: MobilenetConfig) -> NetConfig:
    """What the decoder blocks of a detector need to know."""
    return NetConfig(
        input_size=config.size, operator=config.operator, bound=config.bound, classes=config.classes,
        weight_bits=config.weight_bits, decoder=config.decoder,
    )  # fmt: skip
