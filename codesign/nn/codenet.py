# SPDX-License-Identifier: Apache-2.0
"""CoDeNet: ShuffleNetV2 backbone, three (deformable) decoder blocks, CenterNet heads. Source: arXiv 2006.08357.

The float network, its calibration form and the quantised network are one module tree: see `set_mode`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codesign.nn.blocks import Bits, ConvUnit, DecoderBlock, DeformUnit, Head, ShuffleUnit
from codesign.nn.config import NetConfig
from codesign.nn.layer_bits import STAGE_UNITS
from codesign.nn.quant import ActQuant, act_quantisers
from codesign.nn.ranges import SHARE, activation_observer, weight_thresholds

HEADS = ("hm", "wh", "reg")
HEATMAP_BIAS = -4.6  # probability 0.01; the published -2.19 (0.1) lets the background drive all classes alike at first
SIZE_BIAS = 12.0  # cells of 4 pixels: where the size head starts


class CoDeNet(nn.Module):
    """Image [B, 3, H, W] as (pixel - 128) / 128 -> head maps hm [B, classes, H/4, W/4] (logits), wh and reg [B, 2, ...].

    wh is (width, height) in output cells, reg the centre's (x, y) fraction of a cell.
    """

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        stem, bits = config.stem_channels, Bits(config)
        self.stem = ConvUnit(3, stem, 3, ActQuant(True), bits=bits.of("stem"), stride=4 if config.stem == "s4" else 2)
        cin, widths = stem, config.stage_channels
        for number, (cout, units) in enumerate(zip(widths[:3], STAGE_UNITS, strict=True), 1):
            act = ActQuant(True)  # shared: everything concatenated in a stage has one scale
            blocks = [ShuffleUnit(cin if n == 0 else cout, cout, 2 if n == 0 else 1, act, bits.under(f"stage{number}.{n}"))
                      for n in range(units)]  # fmt: skip
            setattr(self, f"stage{number}", nn.Sequential(*blocks))
            cin = cout
        self.last = ConvUnit(cin, widths[3], 1, ActQuant(True), bits=bits.of("last"))
        cin = widths[3]
        for number, cout in enumerate(config.decoder, 1):
            setattr(self, f"decoder{number}", DecoderBlock(cin, cout, config, bits.under(f"decoder{number}")))
            cin = cout
        self.hm = Head(cin, config.classes, bits.under("hm"), bias=HEATMAP_BIAS)
        self.wh = Head(cin, 2, bits.under("wh"), bias=SIZE_BIAS)
        self.reg = Head(cin, 2, bits.under("reg"))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Head maps by name."""
        x = self.decoder3(self.decoder2(self.decoder1(self.features(image))))
        return {name: getattr(self, name)(x) for name in HEADS}

    def features(self, image: Tensor) -> Tensor:
        """The backbone alone: [B, 3, H, W] -> [B, C, H/32, W/32]."""
        x = self.stem(image)
        if self.config.stem == "s2max":
            x = F.max_pool2d(x, 3, 2, 1)
        return self.last(self.stage3(self.stage2(self.stage1(x))))


def set_mode(model: nn.Module, quantised: bool) -> None:
    """Switch every weight and activation quantiser on or off."""
    for module in model.modules():
        if isinstance(module, ConvUnit):
            module.quantised = quantised
        elif isinstance(module, ActQuant):
            module.enabled = quantised


@torch.no_grad()
def calibrate(model: nn.Module, batches: list[Tensor], search: str = "mse", share: float = SHARE) -> None:
    """Set every activation range from image batches [B, 3, H, W] run through the float network.

    `search` is 'percentile' (of `share`) or 'mse': see `codesign.nn.ranges`.
    """
    set_mode(model, False)
    training = model.training
    model.eval()
    quantisers = act_quantisers(model)
    for q in quantisers:
        q.observer = activation_observer(search, q.unsigned, share)
    for batch in batches:
        model(batch)
    for q in quantisers:
        q.calibrate()
    model.train(training)


@torch.no_grad()
def clip_weights(model: nn.Module, search: str = "mse", share: float = SHARE) -> None:
    """Clamp every weight in place to the range that `search` ('max', 'percentile' of `share`, 'mse') finds per channel.

    For the bits of each layer. Start of post-training quantisation or of quantisation-aware training: a channel's
    largest code stays at the end of the range, so everything after goes on as without clipping.
    """
    for unit in [m for m in model.modules() if isinstance(m, ConvUnit)]:
        weight = unit.conv.weight
        top = weight_thresholds(weight, unit.bits, search, share).view(-1, *[1] * (weight.ndim - 1))
        weight.copy_(weight.clamp(-top, top))


def clone(model: CoDeNet) -> CoDeNet:
    """A trainable copy with the same quantiser modes (scripted Brevitas modules do not survive `deepcopy`)."""
    twin = type(model)(model.config)
    twin.load_state_dict(model.state_dict())
    for mine, theirs in zip(twin.modules(), model.modules(), strict=True):
        if isinstance(mine, ConvUnit):
            mine.quantised = theirs.quantised
        elif isinstance(mine, ActQuant):
            mine.enabled = theirs.enabled
    return twin.to(memory_format=torch.channels_last).train(model.training)


def is_fused(model: nn.Module) -> bool:
    """Whether every unit is in its deployed form: no BN, a bias."""
    return all(u.bn is None and u.conv.bias is not None for u in model.modules() if isinstance(u, ConvUnit))


@torch.no_grad()
def fuse(model: CoDeNet) -> CoDeNet:
    """A copy in eval mode with BN folded into weights and biases (running statistics); every unit has a bias."""
    if is_fused(model):
        return model.eval()
    fused = clone(model).eval()
    for unit in [m for m in fused.modules() if isinstance(m, ConvUnit)]:
        conv, bn = unit.conv, unit.bn
        bias = torch.zeros(conv.weight.shape[0]) if conv.bias is None else conv.bias.detach().clone()
        if bn is not None:
            gain = bn.weight.double() / torch.sqrt(bn.running_var.double() + bn.eps)
            conv.weight.copy_(conv.weight.double() * gain.view(-1, 1, 1, 1))
            bias = (bn.bias.double() + (bias.double() - bn.running_mean.double()) * gain).float()
            unit.bn = None
        conv.bias = nn.Parameter(bias)
    return fused


def parameter_counts(model: CoDeNet) -> tuple[int, int]:
    """(convolution parameters, BN scale and shift parameters); activation ranges are counted in neither."""
    units = [m for m in model.modules() if isinstance(m, ConvUnit)]
    conv = sum(u.conv.weight.numel() + (0 if u.conv.bias is None else u.conv.bias.numel()) for u in units)
    return conv, sum(2 * u.bn.weight.numel() for u in units if u.bn is not None)


@torch.no_grad()
def conv_macs(model: CoDeNet) -> int:
    """Multiply-accumulates of one frame's convolutions, no padding counted as saved."""
    total = 0

    def count(unit: ConvUnit, _inputs: object, output: Tensor) -> None:
        nonlocal total
        total += output.shape[2] * output.shape[3] * unit.conv.weight.numel()

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (ConvUnit, DeformUnit))]
    training = model.training
    model.eval()
    model(torch.zeros(1, 3, *model.config.input_size))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return total
