# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalisation: every channel of a tensor fills the tensor's one scale.

A ReLU, a maximum and a linear unit commute with a positive factor a channel: the layer before may be divided by it when the
layers behind are multiplied. The float network stays what it is; its 8-bit activations lose less. Source: Nagel et al.,
Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, section 4.1; ranges here are of
activations seen, as they are what a tensor has one scale for (weights have one a channel).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from codesign.nn.blocks import Branch, ConvUnit, Head
from codesign.nn.codenet import HEADS, CoDeNet, set_mode

_LEAST = 1 / 64  # of the largest factor: channels that are hardly used keep some room


@dataclass(frozen=True)
class Link:
    """A unit whose output has a scale of its own, and every unit that reads it."""

    before: ConvUnit
    behind: tuple[ConvUnit, ...]

    @property
    def free(self) -> bool:
        """Only depthwise units behind: their weights have a scale a channel, so the factor costs nothing."""
        return all(unit.conv.groups > 1 for unit in self.behind)


def links(model: CoDeNet) -> Iterator[Link]:
    """All links, from the input on. Tensors that are concatenated share a scale and are not among them."""
    left, right = model.stage1[0].left, model.stage1[0].right
    yield Link(model.stem, (left.depthwise, right.reduce))
    for module in model.modules():
        if isinstance(module, Branch):
            if module.reduce is not None:
                yield Link(module.reduce, (module.depthwise,))
            yield Link(module.depthwise, (module.expand,))
    yield from _decoder(model)
    for head in (getattr(model, name) for name in HEADS):
        yield Link(head.first, (head.depthwise,))
        yield Link(head.depthwise, (head.last,))


def _decoder(model: CoDeNet) -> Iterator[Link]:
    before = model.last
    for block in (model.decoder1, model.decoder2, model.decoder3):
        offsets = () if block.offset is None else (block.offset,)
        if block.deform_first:
            yield Link(before, (*offsets, block.depthwise))
            yield Link(block.depthwise, (block.pointwise,))
            before = block.pointwise
        else:
            yield Link(before, (block.pointwise,))
            yield Link(block.pointwise, (*offsets, block.depthwise))
            before = block.depthwise
    heads: list[Head] = [getattr(model, name) for name in HEADS]
    yield Link(before, tuple(head.first for head in heads))


@torch.no_grad()
def equalise(model: CoDeNet, batches: list[Tensor]) -> int:
    """Rescale a float network (live BN or fused) in place by what images [B, 3, H, W] reach; how many tensors were."""
    found = list(links(model))
    for link, reached in zip(found, _reached(model, found, batches), strict=True):
        _rescale(link, _factors(link, reached))
    return len(found)


def _reached(model: CoDeNet, found: list[Link], batches: list[Tensor]) -> list[Tensor]:
    """The largest magnitude of every channel [C] behind each link's first unit."""
    set_mode(model, False)
    model.eval()
    most = [torch.zeros(link.before.conv.out_channels, device=link.before.conv.weight.device) for link in found]

    def hook(number: int):
        def see(_module: object, _inputs: object, output: Tensor) -> None:
            most[number] = torch.maximum(most[number], output.float().abs().amax((0, 2, 3)))

        return see

    hooks = [link.before.register_forward_hook(hook(number)) for number, link in enumerate(found)]
    try:
        for batch in batches:
            model(batch)
    finally:
        for handle in hooks:
            handle.remove()
    return most


def _factors(link: Link, reached: Tensor) -> Tensor:
    """Factor [C] of each channel, at most 1: the range reached, or the geometric mean with what the weights behind can bear."""
    factors = reached
    if not link.free:
        weights = torch.stack([_incoming(unit) for unit in link.behind]).amax(0)
        factors = torch.sqrt(reached / weights.clamp(min=1e-9))
    return (factors / factors.max().clamp(min=1e-9)).clamp(min=_LEAST)


def _incoming(unit: ConvUnit) -> Tensor:
    """Largest weight magnitude of every input channel, each output channel's largest being 1."""
    weight = unit.conv.weight.detach().flatten(2).abs().amax(2)
    share = weight / weight.amax(1, keepdim=True).clamp(min=1e-9)
    return share[:, 0] if unit.conv.groups > 1 else share.amax(0)


def _rescale(link: Link, factors: Tensor) -> None:
    """Divide before, multiply behind."""
    bn, conv = link.before.bn, link.before.conv
    if bn is not None:
        bn.weight.div_(factors)
        bn.bias.div_(factors)
    else:
        conv.weight.div_(factors.view(-1, 1, 1, 1))
        if conv.bias is not None:
            conv.bias.div_(factors)
    for unit in link.behind:
        shape = (-1, 1, 1, 1) if unit.conv.groups > 1 else (1, -1, 1, 1)
        unit.conv.weight.mul_(factors.view(shape))
