# SPDX-License-Identifier: Apache-2.0
"""Depthwise 3x3 convolution at data-dependent taps (DCNv1 form, no modulation mask).

    square   one distance d per pixel, taps at (y + (i-1)*d, x + (j-1)*d): d = 1 is the plain 3x3, d = 0 reads the
             centre nine times
    pairs    nine (dy, dx) per pixel: tap t = 3*i + j reads (y + i-1 + dy, x + j-1 + dx)

Taps outside the image read zero. Integer positions are gathered rows of a channels-last map; their gradient with
respect to the position is the central difference of the map (the straight-through form of bilinear sampling).
Source: arXiv 2006.08357; layout of offsets as in ONNX DeformConv (opset 19).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from codesign.nn.native import taps as native

TAPS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]  # (dy, dx) of tap t at distance 1, raster order


def tap_positions(offset: Tensor, operator: str) -> tuple[Tensor, Tensor]:
    """Row and column of every tap, each [B, 9, H, W] in pixels, from offsets [B, 1 or 18, H, W]."""
    b, _, h, w = offset.shape
    ys = torch.arange(h, device=offset.device, dtype=torch.float32).view(1, 1, h, 1)
    xs = torch.arange(w, device=offset.device, dtype=torch.float32).view(1, 1, 1, w)
    ky = torch.tensor([t[0] for t in TAPS], dtype=torch.float32).view(1, 9, 1, 1)
    kx = torch.tensor([t[1] for t in TAPS], dtype=torch.float32).view(1, 9, 1, 1)
    if operator == "square":
        return ys + ky * offset, xs + kx * offset
    pairs = offset.view(b, 9, 2, h, w)
    return ys + ky + pairs[:, :, 0], xs + kx + pairs[:, :, 1]


def deform_depthwise(x: Tensor, offset: Tensor, weight: Tensor, operator: str, integer: bool) -> Tensor:
    """Depthwise deformable 3x3: x [B, C, H, W], offset [B, 1 or 18, H, W], weight [C, 1, 3, 3] -> [B, C, H, W]."""
    py, px = tap_positions(offset.float(), operator)
    taps = weight.flatten(1).t()  # [9, C]
    if integer:
        return _IntegerTaps.apply(x, taps, py, px, operator == "square")
    return _bilinear(x, taps, py, px)


def _rows(x: Tensor) -> Tensor:
    """[B, C, H, W] as rows [B*H*W + 1, C]; the last row is the zero read outside the image."""
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    return torch.cat([flat, flat.new_zeros(1, x.shape[1])])


def _row_index(py: Tensor, px: Tensor) -> Tensor:
    """Row numbers [9, B*H*W] of integer positions [B, 9, H, W]."""
    b, t, h, w = py.shape
    y, x = py.long(), px.long()
    base = torch.arange(b, device=py.device).view(b, 1, 1, 1) * (h * w)
    inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    index = torch.where(inside, base + y * w + x, torch.full_like(y, b * h * w))
    return index.transpose(0, 1).reshape(t, -1)


def _map(rows: Tensor, like: Tensor) -> Tensor:
    b, c, h, w = like.shape
    return rows.view(b, h, w, c).permute(0, 3, 1, 2)


class _IntegerTaps(torch.autograd.Function):
    """sum_t weight[t] * x[position t] at integer positions, channels-last rows throughout."""

    @staticmethod
    def forward(ctx, x: Tensor, taps: Tensor, py: Tensor, px: Tensor, square: bool) -> Tensor:
        ctx.native = native.usable(x)
        if ctx.native:
            index = _row_index(py, px)
            index = torch.where(index == x.shape[0] * x.shape[2] * x.shape[3], -1, index).int()
            ctx.save_for_backward(x, taps, index)
            return native.forward(x, taps, index)
        rows, index = _rows(x), _row_index(py, px)
        taps = taps.to(rows.dtype)
        out = rows.index_select(0, index[0]).mul_(taps[0])
        for t in range(1, 9):
            out.addcmul_(rows.index_select(0, index[t]), taps[t])
        ctx.save_for_backward(x, taps, index)
        ctx.square, ctx.position_shape = square, py.shape
        return _map(out, x)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, taps, index = ctx.saved_tensors
        if ctx.native:
            return *native.backward(x, taps, index, grad, ctx.needs_input_grad[2]), None
        g = grad.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).to(x.dtype)
        rows = _rows(x)
        grad_taps = torch.stack([(rows.index_select(0, index[t]) * g).sum(0, dtype=torch.float32) for t in range(9)])
        spread = torch.cat([g * taps[t] for t in range(9)])
        grad_rows = torch.ops.aten.embedding_dense_backward(spread, index.reshape(-1), rows.shape[0], -1, False)
        grad_y = grad_x = None
        if ctx.needs_input_grad[2]:
            pad = F.pad(x, (1, 1, 1, 1))
            slope_y = _rows((pad[:, :, 2:, 1:-1] - pad[:, :, :-2, 1:-1]) / 2)
            slope_x = _rows((pad[:, :, 1:-1, 2:] - pad[:, :, 1:-1, :-2]) / 2)
            grad_y = _position_grad(ctx, slope_y, g, taps, index, 0)
            grad_x = _position_grad(ctx, slope_x, g, taps, index, 1)
        return _map(grad_rows[:-1], x), grad_taps, grad_y, grad_x, None


def _position_grad(ctx, slope: Tensor, g: Tensor, taps: Tensor, index: Tensor, axis: int) -> Tensor:
    """Gradient of tap positions along one axis, [B, 9, H, W]. Square taps that d cannot move are skipped."""
    b, t, h, w = ctx.position_shape
    out = torch.zeros(t, b * h * w)
    for k in range(t):
        if not ctx.square or TAPS[k][axis]:
            out[k] = (slope.index_select(0, index[k]) * g).float() @ taps[k].float()
    return out.view(t, b, h, w).transpose(0, 1)


def _bilinear(x: Tensor, taps: Tensor, py: Tensor, px: Tensor) -> Tensor:
    """Float sampling between the four neighbours of every position: a bag of four weighted rows a tap.

    At an integer position the gradient is the difference to the next neighbour down or right.
    """
    y0, x0 = py.detach().floor(), px.detach().floor()
    down, right = py - y0, px - x0
    corners = [(0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right), (1, 0, down * (1 - right)), (1, 1, down * right)]
    index = torch.stack([_row_index(y0 + dy, x0 + dx) for dy, dx, _ in corners], -1)
    share = torch.stack([s.transpose(0, 1).reshape(9, -1) for _, _, s in corners], -1)
    rows = _rows(x)
    rows = rows if rows.dtype == torch.float64 else rows.float()  # bags have no half precision
    samples = F.embedding_bag(index.view(-1, 4), rows, per_sample_weights=share.view(-1, 4).to(rows.dtype), mode="sum")
    out = (samples.view(9, -1, x.shape[1]) * taps.to(rows.dtype)[:, None]).sum(0)
    return _map(out.to(x.dtype), x)
