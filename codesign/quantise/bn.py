# SPDX-License-Identifier: Apache-2.0
"""BN re-estimation: running statistics of the quantised network itself, as true averages over training images."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from codesign.errors import UserError


@torch.no_grad()
def reestimate_bn(model: nn.Module, batches: Iterable[Tensor]) -> int:
    """Replace every BN's running mean and variance by their averages over image batches [B, 3, H, W].

    The network runs as it is (set its quantisers on first); only BN is in training mode meanwhile, so each layer is
    normalised by its batch while the averages behind it are taken. Returns the number of batches.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    if not layers:
        raise UserError("BN re-estimation: the network's BN is folded already; start from a float model")
    training, momenta = model.training, [bn.momentum for bn in layers]
    model.eval()
    for bn in layers:
        bn.reset_running_stats()
        bn.momentum = None  # PyTorch's cumulative average
        bn.train()
    count = 0
    try:
        for batch in batches:
            model(batch)
            count += 1
    finally:
        for bn, momentum in zip(layers, momenta, strict=True):
            bn.momentum = momentum
        model.train(training)
    if count == 0:
        raise UserError("BN re-estimation: no images")
    return count
