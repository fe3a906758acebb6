# SPDX-License-Identifier: Apache-2.0
"""Golden beside another engine, layer by layer, each layer fed the other engine's own codes."""

from __future__ import annotations

import numpy as np

from codesign.golden import run_node
from codesign.graph.ir import Add, Conv, DeformConv, GlobalAveragePool, Graph, Tensor


def codes_of(tensor: Tensor, real: np.ndarray) -> np.ndarray:
    """int8 codes of a real tensor that lies on the grid of ``tensor`` (or is to be rounded to it)."""
    wide = np.rint(real.astype(np.float64).reshape(tensor.shape) / tensor.scale) + tensor.zero_point
    return np.clip(wide, -128, 127).astype(np.int8)


def compare_layers(graph: Graph, theirs: dict[str, np.ndarray]) -> dict[str, tuple[float, int]]:
    """(share of equal codes, greatest difference) of every layer that computes, by name. ``theirs``: int8 codes by tensor."""
    tensors = {graph.input.name: graph.input, **graph.tensors}
    rows = {}
    for node in graph.nodes:
        if node.output not in theirs or any(name not in theirs for name in node.inputs):
            raise AssertionError(f"{node.name}: the other engine has no {node.output} or no {node.inputs}")
        zeros = [tensors[name].zero_point for name in node.inputs]
        ours = run_node(node, [theirs[name] for name in node.inputs], zeros).astype(np.int64)
        gap = np.abs(ours - theirs[node.output])
        if not isinstance(node, Conv | DeformConv | Add | GlobalAveragePool):
            assert gap.max() == 0, f"{node.name} moves codes and must not change them"
            continue
        rows[node.name] = (float((gap == 0).mean()), int(gap.max()))
    return rows
