# SPDX-License-Identifier: Apache-2.0
"""A node of the integer graph as a layer of the hls4ml extension: its kind, its attributes, its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import Concat, Conv, DeformConv, MaxPool, Node, Requant, Shuffle, Slice, Upsample
from codesign.numeric import accumulator_bounds

CONCAT = "Concatenate"  # hls4ml's own layer


@dataclass(frozen=True)
class LayerAttributes:
    """hls4ml's class name and the attributes `hw.hls.config` reads."""

    kind: str
    values: dict[str, Any]


def node_attributes(node: Node, shape: tuple[int, int, int], zero_in: int) -> LayerAttributes:
    """Of ``node`` on an input of ``shape`` (C, H, W) with zero point ``zero_in``. UserError for an operator without kernel."""
    channels, height, width = shape
    common = {"in_height": height, "in_width": width, "n_chan": channels}
    match node:
        case Conv() | DeformConv():
            return _weighted(node, common, zero_in)
        case MaxPool():
            window = {"kernel_height": node.kernel, "kernel_width": node.kernel, "stride": node.stride, "pad": node.pad}
            return LayerAttributes("CodesignMaxPool", {**common, "n_filt": channels, **window})
        case Slice():
            return LayerAttributes("CodesignSlice", {**common, "n_filt": node.stop - node.start, "start": node.start})
        case Shuffle():
            return LayerAttributes("CodesignShuffle", {**common, "n_filt": channels, "groups": node.groups})
        case Upsample():
            return LayerAttributes("CodesignUpsample", {**common, "n_filt": channels})
        case Concat():
            return LayerAttributes(CONCAT, {"axis": 3, "op": "concatenate3d"})
    raise UserError(f"layer {node.name!r}: the hls4ml back end has no {type(node).__name__}; build it with --backend amaranth")


def _weighted(node: Conv | DeformConv, common: dict[str, Any], zero_in: int) -> LayerAttributes:
    filters, _, kernel_height, kernel_width = node.weight.shape
    r = node.requant
    values = {
        **common,
        "n_filt": filters,
        "kernel_height": kernel_height,
        "kernel_width": kernel_width,
        "weight_bits": node.weight_bits,
        "acc_bits": accumulator_bits(node.weight),
        "zero_in": zero_in,
        "zero_out": r.zero_point,
        "lo": r.lo,
        "hi": r.hi,
    }
    if isinstance(node, DeformConv):
        return LayerAttributes("CodesignDeform", {**values, "form": node.form, "bound": node.bound})
    if kernel_height <= node.pad or kernel_width <= node.pad:
        raise UserError(f"layer {node.name!r}: pad {node.pad} is not less than its kernel {kernel_height}x{kernel_width}")
    kind = "CodesignConv" if node.groups == 1 else "CodesignDepthwise"
    return LayerAttributes(kind, {**values, "stride": node.stride, "pad": node.pad})


def accumulator_bits(weight: np.ndarray) -> int:
    """Signed bits that hold every final sum of int8 codes with ``weight`` (Cout, ...); at least 9."""
    least, greatest = accumulator_bounds(weight)
    worst = max(int(greatest.max()), int(-least.min()) - 1, 0)
    return max(9, worst.bit_length() + 1)


def parameters(node: Conv | DeformConv) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights, multipliers, shifts and biases as int64 (n,) in the kernels' order: tap by tap, channels innermost."""
    depthwise = isinstance(node, DeformConv) or node.groups != 1
    weight = node.weight.transpose(1, 2, 3, 0) if depthwise else node.weight.transpose(0, 2, 3, 1)
    r: Requant = node.requant
    return tuple(np.ascontiguousarray(each, dtype=np.int64).ravel() for each in (weight, r.multiplier, r.shift, r.bias))  # type: ignore[return-value]
