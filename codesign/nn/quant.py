# SPDX-License-Identifier: Apache-2.0
"""Brevitas quantisers of the numeric contract: weights per output channel, activations per tensor.

Weights are signed, symmetric and narrow (-7..7 or -127..127) with the channel's largest magnitude at the end of the
range. Per-channel scales commute with batch normalisation (quantise(w) * g = quantise(w * g) up to the sign of the
codes), so a live BN behind the convolution is exactly a BN folded before weight quantisation.

Activation scales are parameters, set once by calibration and then trained; a quantiser starts as a pass-through
(float network), so one module tree is both the float and the quantised network.
"""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import Tensor, nn

from codesign.nn.native import fake_quant as native
from codesign.nn.nodes import Quantiser
from codesign.nn.ranges import Observer


class Weight8(Int8WeightPerTensorFloat):
    """8-bit codes -127..127, one scale per output channel."""

    scaling_per_output_channel = True


class Weight4(Weight8):
    """4-bit codes -7..7, one scale per output channel."""

    bit_width = 4


class _Unsigned(Uint8ActPerTensorFloat):
    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 6.0


class _Signed(Int8ActPerTensorFloat):
    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 6.0


WEIGHT_QUANT = {4: Weight4, 8: Weight8}


class ActQuant(nn.Module):
    """8-bit activation quantiser of one tensor, or of all tensors that share its scale.

    unsigned: clamp at zero is the ReLU (pass-through form: ReLU), codes -128..127 with zero point -128.
    signed: symmetric, zero point 0. Modes: `enabled` False passes reals through; an `observer` sees them meanwhile,
    to choose the range (`codesign.nn.ranges`).
    """

    def __init__(self, unsigned: bool) -> None:
        super().__init__()
        self.unsigned = unsigned
        self.enabled = False
        self.observer: Observer | None = None
        self.quant = qnn.QuantIdentity(act_quant=_Unsigned if unsigned else _Signed, return_quant_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        """Real values in, real values out (on the code grid when enabled)."""
        if self.enabled:
            return self._train(x) if self.training else self.quant(x)
        if self.unsigned:
            x = torch.relu(x)
        if self.observer is not None:
            self.observer.see(x)
        return x

    def _train(self, x: Tensor) -> Tensor:
        """Brevitas' own arithmetic and gradients, in a third of its memory passes (a test compares the two)."""
        lo, hi, steps = (0.0, 255.0, 255.0) if self.unsigned else (-128.0, 127.0, 128.0)
        return _FakeQuant.apply(x, self.threshold / steps, lo, hi)

    @property
    def threshold(self) -> nn.Parameter:
        """The trained range: scale = threshold / 255 (unsigned) or / 128 (signed)."""
        return self.quant.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value

    def calibrate(self) -> None:
        """Set the range that the observer chose, if it saw anything, and let it go."""
        chosen = None if self.observer is None else self.observer.threshold()
        if chosen is not None:
            with torch.no_grad():
                self.threshold.fill_(chosen)
        self.observer = None

    def spec(self) -> Quantiser:
        """Scale and zero point as the integer network stores them."""
        scale = float(self.quant.act_quant.scale().detach().double())
        return Quantiser(scale, -128 if self.unsigned else 0)


class _FakeQuant(torch.autograd.Function):
    """clamp(round(x / scale), lo, hi) * scale with straight-through gradients for x and a learned scale."""

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, lo: float, hi: float) -> Tensor:
        ctx.save_for_backward(x, scale)
        ctx.limits = lo, hi
        if native.usable(x):
            return native.forward(x, float(scale), lo, hi)
        return (x.float() / scale).round_().clamp_(lo, hi).mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):
        (x, scale), (lo, hi) = ctx.saved_tensors, ctx.limits
        if native.usable(x):
            grad_x, along = native.backward(x, grad, float(scale), lo, hi)
            return grad_x, scale.new_full(scale.shape, along), None, None
        exact = x.float() / scale
        rounded = exact.round()
        code = rounded.clamp(lo, hi)
        inside = rounded.eq_(code)
        grad_scale = code.addcmul_(exact, inside, value=-1).mul_(grad).sum()
        return inside.mul_(grad).to(grad.dtype), grad_scale.view_as(scale), None, None


class DistanceQuant(nn.Module):
    """Offsets as integers: clamp(round half to even(x), lo, hi) with a straight-through gradient inside the range.

    `integer` False gives the bilinear float form: clamped only. lo, hi None: unbounded.
    """

    def __init__(self, lo: int | None, hi: int | None, integer: bool) -> None:
        super().__init__()
        self.lo, self.hi, self.integer = lo, hi, integer

    def forward(self, x: Tensor) -> Tensor:
        """Offsets in pixels, any shape; float32 out."""
        x = x.float()
        if self.hi is not None:
            x = x.clamp(self.lo, self.hi)
        return x + (x.round() - x).detach() if self.integer else x

    def spec(self) -> Quantiser:
        """Integer pixels: scale 1, zero point 0."""
        if not self.integer or self.lo is None or self.hi is None:
            raise ValueError("only bounded integer offsets have codes")
        return Quantiser(1.0, 0, self.lo, self.hi)


def act_quantisers(model: nn.Module) -> list[ActQuant]:
    """Every activation quantiser once, in module order."""
    return [m for m in model.modules() if isinstance(m, ActQuant)]
