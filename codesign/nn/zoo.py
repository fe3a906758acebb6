# SPDX-License-Identifier: Apache-2.0
"""Networks beside CoDeNet, as data: MobileNetV2 as a classifier and as a detector's backbone, and SimpleNet."""

from __future__ import annotations

from dataclasses import dataclass, field

from codesign.errors import UserError

#: (expansion, channels, blocks, stride of the first) of MobileNetV2's stages. Source: arXiv 1801.04381, table 2.
MOBILENET_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
MOBILENET_WIDTHS = (0.35, 0.5, 0.75, 1.0)
#: Layers of SimpleNet V1: (channels, kernel); "pool" is a max-pool of 2x2. Source: arXiv 1608.06037, figure 1.
SIMPLENET_LAYERS: tuple[tuple[int, int] | str, ...] = (
    (64, 3), (128, 3), (128, 3), (128, 3), "pool", (128, 3), (128, 3), (256, 3), "pool", (256, 3), (256, 3), "pool",
    (512, 3), (2048, 1), (256, 1), "pool", (256, 3), "pool",
)  # fmt: skip


@dataclass(frozen=True)
class Residual:
    """An inverted residual block; its input is added where it has the output's shape."""

    name: str
    expansion: int
    cin: int
    cout: int
    stride: int

    @property
    def added(self) -> bool:
        """Whether the block adds its input."""
        return self.stride == 1 and self.cin == self.cout


@dataclass(frozen=True)
class MobilenetConfig:
    """MobileNetV2. ``detector``: CoDeNet's decoder and heads behind the last convolution in place of the classifier.

    ``size`` is (height, width) in pixels, multiples of 32. The last convolution has 1280 channels at least.
    """

    name: str
    width: float = 1.0
    size: tuple[int, int] = (224, 224)
    classes: int = 1000
    detector: bool = False
    weight_bits: int = 4
    stem_bits: int = 8
    decoder: tuple[int, int, int] = (256, 128, 64)
    operator: str = "square"
    bound: int = 7
    kind: str = field(default="mobilenetv2", init=False)

    @property
    def stem_channels(self) -> int:
        """Channels of the first convolution."""
        return rounded(32 * self.width)

    @property
    def last_channels(self) -> int:
        """Channels of the last convolution."""
        return rounded(1280 * max(1.0, self.width))

    @property
    def blocks(self) -> tuple[Residual, ...]:
        """All inverted residual blocks in order."""
        found, cin = [], self.stem_channels
        for stage, (expansion, channels, count, stride) in enumerate(MOBILENET_STAGES, start=1):
            cout = rounded(channels * self.width)
            for number in range(count):
                name = f"stage{stage}.{number}"
                found.append(Residual(name, expansion, cin, cout, stride if number == 0 else 1))
                cin = cout
        return tuple(found)


@dataclass(frozen=True)
class SimplenetConfig:
    """SimpleNet V1: plain 3x3 convolutions (and two of 1x1), max-pools, the average of what is left, a classifier."""

    name: str = "simplenet"
    size: tuple[int, int] = (32, 32)
    classes: int = 10
    weight_bits: int = 4
    stem_bits: int = 8
    kind: str = field(default="simplenet", init=False)


Zoo = MobilenetConfig | SimplenetConfig

ZOO: dict[str, Zoo] = {
    **{
        name: MobilenetConfig(name, width)
        for width in MOBILENET_WIDTHS
        for name in ["mobilenetv2" if width == 1.0 else f"mobilenetv2-{width}"]
    },
    "mobilenetv2-centernet": MobilenetConfig("mobilenetv2-centernet", size=(256, 256), classes=20, detector=True),
    "simplenet": SimplenetConfig(),
}


def zoo_config(name: str) -> Zoo:
    """The network of this name; raises UserError."""
    if name not in ZOO:
        raise UserError(f"network {name!r} is not known; pick one of {', '.join(ZOO)}")
    return ZOO[name]


def rounded(channels: float) -> int:
    """The nearest multiple of 8, 8 at least, not less than 0.9 of ``channels``: the published rule."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
