# SPDX-License-Identifier: Apache-2.0
"""What a bit-exact run says about its data: saturation, the most frequent code, the distances that occurred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import Conv, DeformConv, GlobalAveragePool, Graph


@dataclass(frozen=True)
class TensorStats:
    """One tensor's codes. Shares are of C*H*W values; ``rectified`` marks a tensor whose codes come from a ReLU."""

    name: str
    values: int
    saturated_share: float
    top_code: int
    top_share: float
    rectified: bool
    distances: dict[int, int] | None  # histogram of d (square) or of dy, dx (pairs); offset tensors only


def tensor_stats(graph: Graph, values: dict[str, np.ndarray]) -> list[TensorStats]:
    """Statistics of every node's output, in order. ``values`` is what `codesign.golden.run` returned.

    A code is saturated at the clamp's upper end, and at its lower end where that is not the zero point (the zero
    of a ReLU is a value, not a saturation). Codes moved by pools, slices and the like keep their source's ends.
    """
    offsets = {node.inputs[1]: node for node in graph.nodes if isinstance(node, DeformConv)}
    ends: dict[str, tuple[int, int, int]] = {graph.input.name: (-128, 127, 0)}
    result = []
    for node in graph.nodes:
        requant = node.requant if isinstance(node, Conv | DeformConv | GlobalAveragePool) else node
        if hasattr(requant, "lo"):
            ends[node.output] = (requant.lo, requant.hi, requant.zero_point)
        else:
            ends[node.output] = ends[node.inputs[0]]
        lo, hi, zero = ends[node.output]
        deform = offsets.get(node.output)
        result.append(_stats(node.output, values[node.output], (lo, hi, zero), deform))
    return result


def _stats(name: str, codes: np.ndarray, ends: tuple[int, int, int], deform: DeformConv | None) -> TensorStats:
    lo, hi, zero = ends
    counts = np.bincount(codes.ravel().view(np.uint8) ^ 0x80, minlength=256)
    top = int(counts.argmax())
    saturated = int(counts[hi + 128]) + (int(counts[lo + 128]) if lo != zero else 0)
    distances = None
    if deform is not None:
        least = 0 if deform.form == "square" else -deform.bound
        distances = {d: int(counts[d + 128]) for d in range(least, deform.bound + 1)}
    rectified = lo == zero and deform is None
    size = codes.size
    return TensorStats(name, size, saturated / size, top - 128, int(counts[top]) / size, rectified, distances)
