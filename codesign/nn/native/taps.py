# SPDX-License-Identifier: Apache-2.0
"""Integer deformable taps on the C++ kernels: rows in, rows out; images are shared out over PyTorch's threads.

An image's sums do not depend on how many threads there are, so neither do the results.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from codesign.nn.native.library import load

_KINDS = {torch.float32: "f32", torch.bfloat16: "bf16"}


def usable(x: Tensor) -> bool:
    """Whether the kernels take this map: on the CPU, float32 or bfloat16, and a library is there."""
    return x.device.type == "cpu" and x.dtype in _KINDS and load() is not None


def forward(x: Tensor, taps: Tensor, index: Tensor) -> Tensor:
    """sum_t taps[t] * x[index[t]]: x [B, C, H, W], taps [9, C], index int32 [9, B*H*W] (-1: zero) -> [B, C, H, W]."""
    rows, weight = _rows(x), taps.float().contiguous()
    out = torch.empty_like(rows)
    kernel, shape = getattr(load(), f"taps_forward_{_KINDS[x.dtype]}"), _shape(x)
    _each(x.shape[0], lambda b: kernel(rows.data_ptr(), weight.data_ptr(), index.data_ptr(), out.data_ptr(), shape, b, b + 1))
    return _map(out, x)


def backward(
    x: Tensor, taps: Tensor, index: Tensor, grad: Tensor, positions: bool
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Gradients of x [B, C, H, W] and taps [9, C]; with `positions` those of the taps' rows and columns [B, 9, H, W]."""
    rows, weight, g = _rows(x), taps.float().contiguous(), _rows(grad.to(x.dtype))
    b, c, h, w = x.shape
    grad_rows, grad_taps = torch.zeros(rows.shape), torch.zeros(b, 9, c)
    along = torch.zeros(2, 9, b * h * w) if positions else None
    kernel, shape = getattr(load(), f"taps_backward_{_KINDS[x.dtype]}"), _shape(x)
    py, px = (None, None) if along is None else (along[0].data_ptr(), along[1].data_ptr())

    def one(image: int) -> None:
        kernel(rows.data_ptr(), weight.data_ptr(), index.data_ptr(), g.data_ptr(), grad_rows.data_ptr(),
               grad_taps[image].data_ptr(), py, px, shape, image)  # fmt: skip

    _each(b, one)
    grad_x = _map(grad_rows.to(x.dtype), x)
    if along is None:
        return grad_x, grad_taps.sum(0), None, None
    grad_y, grad_x_position = along.view(2, 9, b, h, w).transpose(1, 2)
    return grad_x, grad_taps.sum(0), grad_y, grad_x_position


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


def _map(rows: Tensor, like: Tensor) -> Tensor:
    b, c, h, w = like.shape
    return rows.view(b, h, w, c).permute(0, 3, 1, 2)


def _shape(x: Tensor) -> ctypes.Array:
    b, c, h, w = x.shape
    return (ctypes.c_long * 5)(h * w, c, h, w, b * h * w)


def _each(images: int, work: Callable[[int], None]) -> None:
    threads = min(torch.get_num_threads(), images)
    numbers: Iterable[int] = range(images)
    if threads == 1:
        for image in numbers:
            work(image)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, numbers))
