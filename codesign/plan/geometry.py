# SPDX-License-Identifier: Apache-2.0
"""Which input rows an operator's output rows need."""

from __future__ import annotations

from codesign.graph.ir import Add, Conv, DeformConv, MaxPool, Node


def geometry(node: Node) -> tuple[tuple[int, int], int, int]:
    """(kernel height, width), stride, pad."""
    if isinstance(node, Add):
        return (1, 1), 1, 0
    if isinstance(node, MaxPool):
        return (node.kernel, node.kernel), node.stride, node.pad
    if isinstance(node, DeformConv):
        return node.weight.shape[2:], 1, node.weight.shape[2] // 2
    assert isinstance(node, Conv)
    return node.weight.shape[2:], node.stride, node.pad


def input_rows(node: Node, index: int, start: int, stop: int, height: int, up: int) -> tuple[int, int]:
    """Stored rows [first, last) of input ``index`` that output rows [start, stop) may read; ``height`` is logical."""
    if isinstance(node, DeformConv):
        if index == 1:
            return start, stop
        half = node.weight.shape[2] // 2
        reach = node.bound * half if node.form == "square" else node.bound + half
        low, high = start - reach, stop - 1 + reach
    else:
        kernel, stride, pad = geometry(node)
        low, high = start * stride - pad, (stop - 1) * stride - pad + kernel[0] - 1
    low, high = min(max(low, 0), height - 1), min(max(high, 0), height - 1)
    return low >> up, (high >> up) + 1
