# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules of integer layers that hls4ml's PyTorch converter takes, once `register_torch` has run.

Tensors hold integer codes (-128..127) in a float type, (B, C, H, W). A module computes exactly what its kernel does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hls4ml.converters import register_pytorch_layer_handler
from hls4ml.utils.torch import HLS4MLModule

from codesign.numeric import ACC_BITS, requantise
from hw.hls.config import out_size
from hw.hls.register import register
from hw.hls.rows import FIXED, PAIRS, SQUARE


class Requantised(HLS4MLModule):
    """A depthwise or full layer: integer ``weight`` (Cout, Cin or 1, kh, kw), per-channel M, S, B, and output codes.

    ``zero_in`` is the code that padding reads; ``zero_out``, ``lo`` and ``hi`` belong to the output.
    """

    kind = "CodesignConv"

    def __init__(
        self, weight: np.ndarray, multiplier: Sequence[int], shift: Sequence[int], bias: Sequence[int], *,
        weight_bits: int = 4, zero_in: int = 0, zero_out: int = 0, lo: int = -128, hi: int = 127, acc_bits: int = ACC_BITS,
        parallel: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.codes = np.asarray(weight, dtype=np.int64)
        limit = 2 ** (weight_bits - 1)
        if self.codes.ndim != 4 or self.codes.min() < -limit or self.codes.max() >= limit:
            raise ValueError(f"weight {self.codes.shape} holds {self.codes.min()}..{self.codes.max()}: 4 axes of {weight_bits}-bit codes")
        self.requant = tuple(np.asarray(each, dtype=np.int64) for each in (multiplier, shift, bias))
        self.fixed = {"weight_bits": weight_bits, "zero_in": zero_in, "zero_out": zero_out, "lo": lo, "hi": hi,
                      "acc_bits": acc_bits, "parallel": parallel}  # fmt: skip

    def finish(self, acc: torch.Tensor) -> torch.Tensor:
        """Codes of exact sums (B, C, H, W), by `codesign.numeric.requantise`."""
        m, s, b = self.requant
        f = self.fixed
        planes = acc.double().numpy()
        codes = [requantise(plane, m, b, s, f["zero_out"], f["lo"], f["hi"]) for plane in planes]
        return torch.from_numpy(np.stack(codes)).float()

    def attributes(self, channels: int, height: int, width: int) -> dict[str, Any]:
        """hls4ml's attributes on an input of that size."""
        filters, _, kernel_height, kernel_width = self.codes.shape
        return {"in_height": height, "in_width": width, "n_chan": channels, "n_filt": filters, "kernel_height": kernel_height,
                "kernel_width": kernel_width, **self.fixed}  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """The kernel's arrays: taps in raster order, channels innermost."""
        order = (0, 2, 3, 1) if self.kind == "CodesignConv" else (1, 2, 3, 0)
        flat = np.ascontiguousarray(self.codes.transpose(order)).ravel()
        return dict(zip(("weight_data", "multiplier_data", "shift_data", "bias_data"), (flat, *self.requant), strict=True))


class IntegerTaps(Requantised):
    """Plain taps: full (weight (Cout, Cin, kh, kw)) or, with ``depthwise``, one kernel a channel (C, 1, kh, kw)."""

    def __init__(self, *arguments: Any, stride: int = 1, pad: int = 0, depthwise: bool = False, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.stride, self.pad, self.depthwise = stride, pad, depthwise
        self.kind = "CodesignDepthwise" if depthwise else "CodesignConv"

    def attributes(self, channels: int, height: int, width: int) -> dict[str, Any]:
        return {**super().attributes(channels, height, width), "form": FIXED, "stride": self.stride, "pad": self.pad}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x.double(), (self.pad,) * 4, value=self.fixed["zero_in"])
        groups = x.shape[1] if self.depthwise else 1
        return self.finish(F.conv2d(padded, torch.from_numpy(self.codes).double(), stride=self.stride, groups=groups))


class DeformableTaps(Requantised):
    """Limited-range deformable depthwise taps of (data, offsets): ``form`` square or pairs, offsets within ``bound``."""

    kind = "CodesignDeform"

    def __init__(self, *arguments: Any, form: str = SQUARE, bound: int = 7, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if form not in (SQUARE, PAIRS):
            raise ValueError(f"form {form!r}: must be {SQUARE} or {PAIRS}")
        self.form, self.bound = form, bound

    def attributes(self, channels: int, height: int, width: int) -> dict[str, Any]:
        return {**super().attributes(channels, height, width), "form": self.form, "bound": self.bound}

    def forward(self, x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        _, _, kernel_height, kernel_width = self.codes.shape
        weight = torch.from_numpy(self.codes).double()
        acc = torch.zeros_like(x, dtype=torch.float64)
        for tap in range(kernel_height * kernel_width):
            i, j = divmod(tap, kernel_width)
            acc += self._gathered(x.double(), offsets.long(), tap, i, j) * weight[:, 0, i, j].view(1, -1, 1, 1)
        return self.finish(acc)

    def _gathered(self, x: torch.Tensor, offsets: torch.Tensor, tap: int, i: int, j: int) -> torch.Tensor:
        """What tap (i, j) of every pixel reads."""
        batch, channels, height, width = x.shape
        di, dj = i - self.codes.shape[2] // 2, j - self.codes.shape[3] // 2
        dy, dx = (di * offsets[:, 0], dj * offsets[:, 0]) if self.form == SQUARE else (di + offsets[:, 2 * tap], dj + offsets[:, 2 * tap + 1])
        y, x_at = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        y, x_at = y + dy, x_at + dx
        inside = (y >= 0) & (y < height) & (x_at >= 0) & (x_at < width)
        index = (y.clamp(0, height - 1) * width + x_at.clamp(0, width - 1)).view(batch, 1, -1).expand(-1, channels, -1)
        found = x.reshape(batch, channels, -1).gather(2, index).view_as(x)
        return torch.where(inside.unsqueeze(1), found, torch.tensor(float(self.fixed["zero_in"]), dtype=torch.float64))


@cache
def register_torch() -> None:
    """`hw.hls.register.register`, and the modules above for hls4ml's PyTorch converter; harmless when called again."""
    register()
    for module in (IntegerTaps, DeformableTaps):
        register_pytorch_layer_handler(module.__name__, _parse)


def _parse(operation: str, name: str, inputs: list[str], shapes: list[list[int]], node: Any, module: Any, *_: Any) -> tuple[dict, list]:
    """hls4ml's handler: the layer's dictionary and its output shape [B, C, H, W]."""
    batch, channels, height, width = shapes[0]
    attributes = module.attributes(channels, height, width)
    rows, columns = out_size({"bound": 0, "stride": 1, "pad": 0, **attributes})
    layer = {"class_name": module.kind, "name": name, "inputs": list(inputs), "data_format": "channels_first", **attributes, **module.arrays()}
    return layer, [batch, attributes["n_filt"], rows, columns]
