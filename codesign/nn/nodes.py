# SPDX-License-Identifier: Apache-2.0
"""What a trained network is once training is over: a list of nodes in execution order, NumPy only.

`codesign.nn.export.export_layers(model)` returns `list[Node]`; lowering walks it once, from first to last.
Every tensor is named; a node reads tensors that earlier nodes wrote. Codes are int8 in the numeric contract's
sense: real value = scale * (code - zero_point). Unsigned activations (after ReLU) have zero_point -128 and use
all of -128..127, so ReLU is the clamp at lo = -128 = zero_point and needs no node of its own. Split, shuffle,
concat, max-pool, upsample and output nodes move codes and never change them: their output has the very same
`Quantiser` as their input(s).

Node kinds (one frozen dataclass each):

    InputNode     writes 'image': code = pixel - 128, scale 1/128, zero point 0, channels in R, G, B order
    ConvNode      kind 'full' (groups 1, kernel over 1x1), 'pointwise' (1x1, groups 1) or 'depthwise' (groups = C);
                  out = clamp(rne(real / out_quant.scale) + zero_point, lo, hi) with
                  real = in_quant.scale * weight_scale[c] * sum(weight * (q_in - z_in)) + bias[c];
                  padding is real zero, that is code z_in. The offset convolution of a deformable layer is an
                  ordinary ConvNode whose out_quant is scale 1, zero point 0, lo..hi = 0..N (square) or -N..N (pairs)
    DeformNode    depthwise 3x3 at data-dependent taps; `offset` names the integer tensor. Square: 1 channel, taps at
                  (y + (i-1)*d, x + (j-1)*d). Pairs: 18 channels, tap t = 3*i + j reads (y + i-1 + dy, x + j-1 + dx)
                  with dy = channel 2t, dx = channel 2t+1. Taps outside the image read real zero (code z_in)
    SplitNode     channel halves: first half -> outputs[0], second half -> outputs[1]
    ConcatNode    channels of inputs[0], then of inputs[1]
    ShuffleNode   channel shuffle with `groups` g: out channel i*g + j = in channel j*(C/g) + i
    MaxPoolNode   kernel, stride, pad; positions outside the image are ignored
    UpsampleNode  nearest, factor 2
    AddNode       out = clamp(rne((in_quants[0]'s real + in_quants[1]'s real) / out_quant.scale) + zero_point)
    AverageNode   mean over height and width, requantised: [C, H, W] -> [C, 1, 1]
    OutputNode    the head tensors in the order hm, wh, reg; `tensor` is what it reads
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantiser:
    """Activation codes of one tensor: real = scale * (code - zero_point), code within lo..hi (int8)."""

    scale: float
    zero_point: int
    lo: int = -128
    hi: int = 127


@dataclass(frozen=True)
class InputNode:
    name: str
    output: str
    shape: tuple[int, int, int]  # C, H, W
    out_quant: Quantiser


@dataclass(frozen=True)
class ConvNode:
    name: str
    kind: str  # 'full' | 'pointwise' | 'depthwise'
    input: str
    output: str
    weight: np.ndarray  # int8 codes, [Cout, Cin / groups, kh, kw]
    weight_bits: int
    weight_scale: np.ndarray  # float64 [Cout]
    bias: np.ndarray  # float64 [Cout], real units
    stride: int
    pad: int
    groups: int
    in_quant: Quantiser
    out_quant: Quantiser


@dataclass(frozen=True)
class DeformNode:
    name: str
    operator: str  # 'square' | 'pairs'
    bound: int  # N: distances in 0..N, pairs in -N..N
    input: str
    offset: str
    output: str
    weight: np.ndarray  # int8 codes, [C, 1, 3, 3]
    weight_bits: int
    weight_scale: np.ndarray  # float64 [C]
    bias: np.ndarray  # float64 [C]
    in_quant: Quantiser
    offset_quant: Quantiser
    out_quant: Quantiser


@dataclass(frozen=True)
class SplitNode:
    name: str
    input: str
    outputs: tuple[str, str]


@dataclass(frozen=True)
class ConcatNode:
    name: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class ShuffleNode:
    name: str
    input: str
    output: str
    groups: int = 2


@dataclass(frozen=True)
class MaxPoolNode:
    name: str
    input: str
    output: str
    kernel: int = 3
    stride: int = 2
    pad: int = 1


@dataclass(frozen=True)
class UpsampleNode:
    name: str
    input: str
    output: str
    factor: int = 2


@dataclass(frozen=True)
class AddNode:
    name: str
    inputs: tuple[str, str]
    output: str
    in_quants: tuple[Quantiser, Quantiser]
    out_quant: Quantiser


@dataclass(frozen=True)
class AverageNode:
    name: str
    input: str
    output: str
    in_quant: Quantiser
    out_quant: Quantiser


@dataclass(frozen=True)
class OutputNode:
    name: str  # 'hm' | 'wh' | 'reg'
    tensor: str
    out_quant: Quantiser


Node = (
    InputNode | ConvNode | DeformNode | SplitNode | ConcatNode | ShuffleNode | MaxPoolNode | UpsampleNode | AddNode
    | AverageNode | OutputNode
)
