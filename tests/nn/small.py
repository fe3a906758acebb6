# SPDX-License-Identifier: Apache-2.0
"""A small CoDeNet that every training-side test can afford."""

import numpy as np
import torch

from codesign.nn.codenet import CoDeNet, calibrate, set_mode
from codesign.nn.config import NetConfig


def small_config(**changes: object) -> NetConfig:
    values = {"width": 0.1, "input_size": (64, 96), "classes": 3, "stem_channels": 8, "decoder": (16, 12, 8)}
    return NetConfig(**(values | changes))  # type: ignore[arg-type]


def frame(config: NetConfig, seed: int = 0) -> np.ndarray:
    """A smooth random uint8 image of the config's size."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (config.input_size[0] // 8, config.input_size[1] // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


def as_input(image: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 128) / 128


def quantised(config: NetConfig, seed: int = 0) -> CoDeNet:
    """Random weights, BN statistics and distances off their defaults, calibrated, quantisers on, eval mode."""
    torch.manual_seed(seed)
    net = CoDeNet(config)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, -1.2, 1.5)
            torch.nn.init.uniform_(module.bias, -0.3, 0.6)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.3, 1.5)
    net.eval()
    for block in (net.decoder1, net.decoder2, net.decoder3):
        if block.offset is not None:
            spread_offsets(net, block.offset, config)
    calibrate(net, [as_input(frame(config, s)) for s in range(4)])
    set_mode(net, True)
    return net.eval()


@torch.no_grad()
def spread_offsets(net: CoDeNet, unit: torch.nn.Module, config: NetConfig) -> None:
    """Random offset weights, scaled and shifted so that offsets have mean 3 (square) or 0 and deviation 2."""
    seen: list[torch.Tensor] = []
    hook = unit.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    net(as_input(frame(config)))
    hook.remove()
    torch.nn.init.normal_(unit.conv.weight)
    raw = torch.nn.functional.conv2d(seen[0], unit.conv.weight)
    unit.conv.weight.mul_(2 / raw.std().clamp(min=1e-6))
    shift = 2 * raw.mean() / raw.std().clamp(min=1e-6)
    unit.conv.bias.fill_(float((3 if config.operator == "square" else 0) - shift))
