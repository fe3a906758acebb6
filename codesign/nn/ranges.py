# SPDX-License-Identifier: Apache-2.0
"""Range search: which real value the end of a code range stands for. Tensors in, thresholds out.

    activations   `Percentile(share)`: the largest share-quantile of |x| over batches and tensors that share a quantiser
                  `LeastSquares(unsigned)`: the threshold of least mean squared quantisation error over what was seen
    weights       `weight_thresholds(weight, bits, search)`: per output channel 'max', 'percentile' or 'mse'

A clipped weight lies at the threshold, so a channel's largest code is still the end of the range, as the model file and
re-quantisation of codes ask for: clipping is clamping the weight itself, and every later step is as for unclipped ones.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from codesign.errors import UserError

ACTIVATION_SEARCHES = ("percentile", "mse")
WEIGHT_SEARCHES = ("max", "percentile", "mse")
SHARE = 0.999
_SAMPLES = 1 << 14  # values kept of a tensor and batch
_SMALLEST = 1e-3  # of an activation range
_RATIOS = torch.linspace(1.0, 0.2, 81)  # candidate thresholds over the largest magnitude


class Observer(Protocol):
    """What a calibrating quantiser shows its reals to."""

    def see(self, x: Tensor) -> None:
        """Real values of one tensor and batch."""

    def threshold(self) -> float | None:
        """The chosen range; None when nothing was seen."""


class Percentile:
    """The largest `share` quantile of |x| over batches (0 < share <= 1)."""

    def __init__(self, share: float = SHARE) -> None:
        if not 0 < share <= 1:
            raise UserError(f"percentile range of share {share}: must be above 0, at most 1")
        self.share, self._highest = share, -1.0

    def see(self, x: Tensor) -> None:
        """Takes every n-th value of large tensors."""
        flat = _some(x, 1 << 16).abs()
        self._highest = max(self._highest, float(flat.kthvalue(max(1, int(self.share * flat.numel()))).values))

    def threshold(self) -> float | None:
        """The largest seen."""
        return max(self._highest, _SMALLEST) if self._highest >= 0 else None


class LeastSquares:
    """The threshold whose 8-bit codes lie nearest to a sample of everything seen."""

    def __init__(self, unsigned: bool) -> None:
        self.limits = (0.0, 255.0, 255.0) if unsigned else (-128.0, 127.0, 128.0)
        self._seen: list[Tensor] = []

    def see(self, x: Tensor) -> None:
        """Keeps about 16384 values a call."""
        self._seen.append(_some(x, _SAMPLES).clone())

    def threshold(self) -> float | None:
        """Searched from the largest magnitude down to a fifth of it."""
        if not self._seen:
            return None
        x = torch.cat(self._seen)
        top = max(float(x.abs().max()), _SMALLEST)
        lo, hi, steps = self.limits
        errors = []
        for ratio in _RATIOS.tolist():
            scale = top * ratio / steps
            errors.append(float(((x / scale).round_().clamp_(lo, hi).mul_(scale) - x).square_().sum()))
        return max(top * float(_RATIOS[int(torch.tensor(errors).argmin())]), _SMALLEST)


def _some(x: Tensor, count: int) -> Tensor:
    """About `count` values, float32, evenly spread; an odd step, because maps are even and would show few columns."""
    flat = x.detach().flatten()
    return flat[:: max(1, flat.numel() // count) | 1].float()


def activation_observer(search: str, unsigned: bool, share: float = SHARE) -> Observer:
    """A fresh observer: 'percentile' (of `share`) or 'mse'."""
    if search not in ACTIVATION_SEARCHES:
        raise UserError(f"activation range search {search!r}: must be one of {', '.join(ACTIVATION_SEARCHES)}")
    return Percentile(share) if search == "percentile" else LeastSquares(unsigned)


def weight_thresholds(weight: Tensor, bits: int, search: str, share: float = SHARE) -> Tensor:
    """Threshold [Cout] of a weight [Cout, ...]: 'max' its largest magnitude, 'percentile' of `share`, or 'mse'."""
    if search not in WEIGHT_SEARCHES:
        raise UserError(f"weight range search {search!r}: must be one of {', '.join(WEIGHT_SEARCHES)}")
    flat = weight.detach().flatten(1).float()
    top = flat.abs().amax(1)
    if search == "max":
        return top
    if search == "percentile":
        chosen = torch.quantile(flat.abs(), share, dim=1)
        return torch.where(chosen > 0, chosen, top)
    limit = 2 ** (bits - 1) - 1
    best, chosen = torch.full_like(top, torch.inf), top.clone()
    for ratio in _RATIOS.tolist():
        scale = (top * ratio / limit).clamp(min=1e-12).unsqueeze(1)
        error = ((flat / scale).round_().clamp_(-limit, limit).mul_(scale) - flat).square_().sum(1)
        better = error < best
        best, chosen = torch.where(better, error, best), torch.where(better, top * ratio, chosen)
    return chosen
