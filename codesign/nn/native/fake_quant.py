# SPDX-License-Identifier: Apache-2.0
"""Fake quantisation on the C++ kernels, one pass each way; the forward pass gives PyTorch's very bits."""

from __future__ import annotations

import torch
from torch import Tensor

from codesign.nn.native.library import load


def usable(x: Tensor) -> bool:
    """Whether the kernels take this tensor: float32 on the CPU, without gaps, and a library is there."""
    dense = x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))
    return x.device.type == "cpu" and x.dtype == torch.float32 and dense and load() is not None


def forward(x: Tensor, scale: float, lo: float, hi: float) -> Tensor:
    """clamp(round(x / scale), lo, hi) * scale."""
    out = torch.empty_like(x)
    load().fake_quant_forward(x.data_ptr(), out.data_ptr(), scale, lo, hi, x.numel())  # type: ignore[union-attr]
    return out


def backward(x: Tensor, grad: Tensor, scale: float, lo: float, hi: float) -> tuple[Tensor, float]:
    """Straight-through gradient of x, and the gradient of the scale."""
    if grad.stride() != x.stride() or grad.dtype != x.dtype:
        grad = torch.empty_like(x).copy_(grad)
    out = torch.empty_like(x)
    library = load()
    along = library.fake_quant_backward(  # type: ignore[union-attr]
        x.data_ptr(), grad.data_ptr(), out.data_ptr(), scale, lo, hi, x.numel()
    )
    return out, along
