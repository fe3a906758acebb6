# SPDX-License-Identifier: Apache-2.0
"""Bias correction: every convolution's per-channel mean error, float against quantised, taken off its bias.

Layer by layer in execution order, and later layers see earlier corrections (Nagel et al., arXiv 1906.04721, the
empirical form). Means are those in front of the activation, so the correction is exact for the calibration images.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from codesign.nn.blocks import ConvUnit
from codesign.nn.codenet import CoDeNet, is_fused, set_mode

Watch = Callable[[str, ConvUnit, Tensor], Tensor]


@torch.no_grad()
def correct_biases(model: CoDeNet, images: Tensor, reference: CoDeNet) -> dict[str, float]:
    """Correct a fused, quantised network in place so that its means are those of `reference`, a float network.

    images [B, 3, H, W] go through at once, because a layer's correction has to stand before the next layer's error is
    seen. Returns the largest correction of each layer by name, in real units.
    """
    if not is_fused(model):
        raise ValueError("biases are corrected after BN is folded: only then has every layer one")
    model.eval()
    reference.eval()
    set_mode(reference, False)
    wanted: dict[str, Tensor] = {}

    def remember(name: str, _unit: ConvUnit, y: Tensor) -> Tensor:
        wanted[name] = _means(y)
        return y

    with _watched(reference, remember):
        reference(images)
    moved: dict[str, float] = {}

    def correct(name: str, unit: ConvUnit, y: Tensor) -> Tensor:
        shift = (wanted[name] - _means(y)).to(y.dtype)
        unit.conv.bias.add_(shift)
        moved[name] = float(shift.abs().max())
        return y + shift.view(1, -1, 1, 1)

    with _watched(model, correct):
        model(images)
    return moved


def _means(y: Tensor) -> Tensor:
    return y.mean((0, 2, 3), dtype=torch.float64)


@contextmanager
def _watched(model: nn.Module, watch: Watch):
    """Every unit's output in front of its activation goes through `watch`. Activations are shared, units do not nest."""
    current: list[tuple[str, ConvUnit]] = []
    hooks = []
    acts: set[nn.Module] = set()

    def into_act(_act: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        name, unit = current[-1]
        return (watch(name, unit, inputs[0]),)

    for name, unit in model.named_modules():
        if isinstance(unit, ConvUnit):
            hooks.append(unit.register_forward_pre_hook(lambda _m, _i, who=(name, unit): current.append(who)))
            acts.add(unit.act)
    hooks += [act.register_forward_pre_hook(into_act) for act in acts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
