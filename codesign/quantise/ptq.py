# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a float network to a quantised one with calibration images alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from codesign.errors import UserError
from codesign.nn.codenet import CoDeNet, calibrate, clip_weights, fuse, set_mode
from codesign.nn.config import NetConfig
from codesign.nn.equalise import equalise
from codesign.nn.layer_bits import LayerBits
from codesign.nn.ranges import ACTIVATION_SEARCHES, SHARE, WEIGHT_SEARCHES
from codesign.quantise.bias_correction import correct_biases
from codesign.quantise.bn import reestimate_bn

Report = Callable[[str], None]
BIAS_IMAGES = 64  # at most, in one batch


@dataclass(frozen=True)
class PtqOptions:
    """What is done. Ranges: see `codesign.nn.ranges`; `share` is the percentile's, 0..1."""

    activations: str = "mse"
    weights: str = "max"
    share: float = SHARE
    bn: bool = False
    bias: bool = True
    equalise: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (("activations", self.activations, ACTIVATION_SEARCHES), ("weights", self.weights, WEIGHT_SEARCHES)):
            if value not in known:
                raise UserError(f"range search of {name} {value!r}: must be one of {', '.join(known)}")
        if not 0.5 <= self.share <= 1:
            raise UserError(f"percentile {100 * self.share:g}: must be 50 to 100")

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)


def with_bits(model: CoDeNet, weight_bits: int, layer_bits: LayerBits = (), stem_bits: int = 8) -> CoDeNet:
    """A copy of a float network whose weights will be quantised to these bits; eval mode, quantisers off."""
    return copied(model, replace(model.config, weight_bits=weight_bits, layer_bits=layer_bits, stem_bits=stem_bits))


def copied(model: CoDeNet, config: NetConfig) -> CoDeNet:
    """A copy under another configuration of the same structure; eval mode, quantisers off."""
    twin = CoDeNet(config)
    twin.load_state_dict(model.state_dict())
    return twin.to(memory_format=torch.channels_last).eval()


@torch.no_grad()
def quantise(
    model: CoDeNet, batches: list[Tensor], options: PtqOptions, report: Report = lambda _: None,
    augmented: list[Tensor] | None = None,
) -> CoDeNet:  # fmt: skip
    """The fused, quantised form of a float network (live BN, bits as in its config), which is changed on the way.

    batches [B, 3, H, W] of training images: ranges and bias errors are taken from them, BN averages from `augmented`
    ones where they are given. The latter are what training normalised by; with plain ones a network gets worse.
    """
    if not batches:
        raise UserError("post-training quantisation needs calibration images; give a folder with a train split")
    model.eval()
    if options.equalise:
        report(f"channels equalised: {equalise(model, batches)} tensors")
    calibrate(model, batches, options.activations, options.share)
    report(f"activation ranges: {options.activations} over {sum(len(b) for b in batches)} images")
    reference = copied(model, model.config) if options.bias else None
    clip_weights(model, options.weights, options.share)
    report(f"weight ranges: {options.weights}")
    set_mode(model, True)
    if options.bn:
        count = reestimate_bn(model, augmented or batches)
        report(f"BN statistics re-estimated over {count} batches")
    model = fuse(model)
    if reference is not None:
        correct_biases(model, torch.cat(batches)[:BIAS_IMAGES], reference)
        report("biases corrected")
    return model
