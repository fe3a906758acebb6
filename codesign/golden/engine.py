# SPDX-License-Identifier: Apache-2.0
"""Runs a graph: one node at a time, every tensor kept. The arithmetic is `codesign.numeric`'s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.errors import UserError
from codesign.golden.sums import conv_sum, deform_sum
from codesign.graph.ir import (
    Add,
    Concat,
    Conv,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Node,
    Shuffle,
    Slice,
    Upsample,
)
from codesign.numeric import CODE_MIN, add_codes, requantise


def run(graph: Graph, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of ``graph`` by name, int8 (C, H, W), the input included.

    ``image`` int8 (3, H, W): pixel - 128, see `codesign.numeric.image_codes`. Raises UserError on another shape.
    """
    if image.dtype != np.int8 or image.shape != tuple(graph.input.shape):
        raise UserError(
            f"image codes of shape {image.shape}, {image.dtype}; the graph takes int8 {tuple(graph.input.shape)}"
        )
    zero = {graph.input.name: graph.input.zero_point}
    zero.update({name: tensor.zero_point for name, tensor in graph.tensors.items()})
    values = {graph.input.name: image}
    for node in graph.nodes:
        inputs = [values[name] for name in node.inputs]
        values[node.output] = run_node(node, inputs, [zero[name] for name in node.inputs])
    return values


def accumulate(node: Node, inputs: Sequence[np.ndarray], zero_points: Sequence[int]) -> np.ndarray:
    """Accumulators of a node that requantises: integers in a float array of the output's shape (C, H, W)."""
    match node:
        case Conv():
            return conv_sum(node, inputs[0], zero_points[0])
        case DeformConv():
            return deform_sum(node, inputs[0], inputs[1], zero_points[0])
        case GlobalAveragePool():
            return inputs[0].astype(np.float64).sum(axis=(1, 2), keepdims=True)
    raise TypeError(f"{type(node).__name__} has no accumulator")


def run_node(node: Node, inputs: Sequence[np.ndarray], zero_points: Sequence[int]) -> np.ndarray:
    """One node's output codes, int8 (C, H, W), from its inputs' codes and zero points, in the node's order."""
    match node:
        case Conv() | DeformConv() | GlobalAveragePool():
            r = node.requant
            acc = accumulate(node, inputs, zero_points)
            return requantise(acc, r.multiplier, r.bias, r.shift, r.zero_point, r.lo, r.hi)
        case MaxPool():
            return _max_pool(node, inputs[0])
        case Upsample():
            return inputs[0].repeat(2, axis=1).repeat(2, axis=2)
        case Slice():
            return inputs[0][node.start : node.stop]
        case Concat():
            return np.concatenate(inputs, axis=0)
        case Shuffle():
            c, h, w = inputs[0].shape
            parts = inputs[0].reshape(node.groups, c // node.groups, h, w)
            return np.ascontiguousarray(parts.transpose(1, 0, 2, 3)).reshape(c, h, w)
        case Add():
            zeros = (zero_points[0], zero_points[1])
            return add_codes(
                inputs[0], inputs[1], zeros, node.multipliers, node.shift, node.zero_point, node.lo, node.hi
            )
    raise TypeError(f"golden has no operator {type(node).__name__}")


def _max_pool(node: MaxPool, data: np.ndarray) -> np.ndarray:
    """Positions outside the image never win: they are padded with the least code, and each window has a real one."""
    c, h, w = data.shape
    k, s, p = node.kernel, node.stride, node.pad
    rows, cols = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
    padded = np.full((c, h + 2 * p, w + 2 * p), CODE_MIN, dtype=np.int8)
    padded[:, p : p + h, p : p + w] = data
    tall = padded[:, : (rows - 1) * s + 1 : s].copy()
    for i in range(1, k):
        np.maximum(tall, padded[:, i : i + (rows - 1) * s + 1 : s], out=tall)
    out = tall[:, :, : (cols - 1) * s + 1 : s].copy()
    for j in range(1, k):
        np.maximum(out, tall[:, :, j : j + (cols - 1) * s + 1 : s], out=out)
    return out
