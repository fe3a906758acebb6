# SPDX-License-Identifier: Apache-2.0
"""Scales as ONNX holds them, in single precision, chosen so that importing finds the same integer constants again."""

from __future__ import annotations

import numpy as np

from codesign.errors import UserError
from codesign.graph.ir import (
    Add,
    Concat,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Node,
    Shuffle,
    Slice,
    Tensor,
    Upsample,
)
from codesign.numeric import add_parameters, requant_parameters

MOVES = (MaxPool, Upsample, Slice, Concat, Shuffle)
_NEIGHBOURS = 256  # single-precision numbers tried on either side


def single_scales(graph: Graph) -> dict[str, Tensor]:
    """Every tensor with its scale in single precision; tensors that share a scale still do.

    An addition's and an average's multipliers follow from scales alone: where rounding a scale would change them, a neighbour is
    taken. Raises UserError, naming the layer, where none does.
    """
    return _Scales(graph).tensors()


class _Scales:
    """Tensors that codes are moved between share a scale: a set of them has a ``_head``."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._all = {graph.input.name: graph.input, **graph.tensors}
        self._head = {name: name for name in self._all}
        for node in graph.nodes:
            for name in node.inputs if isinstance(node, MOVES) else ():
                self._head[self._root(name)] = self._root(node.output)
        self._scale = {name: float(np.float32(tensor.scale)) for name, tensor in self._all.items()}
        self._fixed = {self._root(graph.input.name)}
        self._fixed |= {self._root(node.inputs[1]) for node in graph.nodes if isinstance(node, DeformConv)}

    def tensors(self) -> dict[str, Tensor]:
        """All of them, once every addition and average keeps its constants."""
        for node in self._graph.nodes:
            if isinstance(node, Add | GlobalAveragePool):
                self._settle(node)
        return {name: Tensor(name, t.shape, self._of(name), t.zero_point) for name, t in self._all.items()}

    def _root(self, name: str) -> str:
        while self._head[name] != name:
            name = self._head[name]
        return name

    def _of(self, name: str) -> float:
        return self._scale[self._root(name)]

    def _settle(self, node: Node) -> None:
        """Move one of the node's scales that is still free to the nearest number that keeps the constants."""
        roots = [self._root(name) for name in (node.output, *node.inputs)]
        free = [root for root in dict.fromkeys(roots) if root not in self._fixed]
        if not self._keeps(node) and not any(self._search(node, root) for root in free):
            raise UserError(f"layer {node.name!r}: its multipliers do not follow from its scales, so ONNX cannot hold it; lower it again")
        self._fixed |= set(roots)

    def _search(self, node: Node, root: str) -> bool:
        given = np.float32(self._scale[root])
        for step in range(1, _NEIGHBOURS + 1):
            for sign in (-1, 1):
                self._scale[root] = float((given.view(np.int32) + np.int32(sign * step)).view(np.float32))
                if self._keeps(node):
                    return True
        self._scale[root] = float(given)
        return False

    def _keeps(self, node: Node) -> bool:
        output = self._of(node.output)
        try:
            if isinstance(node, Add):
                first, second = (self._of(name) for name in node.inputs)
                return add_parameters(first, second, output, node.name) == (tuple(node.multipliers), node.shift)
            assert isinstance(node, GlobalAveragePool)
            source = self._all[node.inputs[0]]
            channels, height, width = source.shape
            ones = np.ones((channels, height * width), np.int8)
            found = requant_parameters(ones, self._of(source.name), 1.0 / (height * width), output, source.zero_point)
        except UserError:
            return False
        have = (node.requant.multiplier, node.requant.shift, node.requant.bias)
        return all(np.array_equal(a, b) for a, b in zip(found, have))
