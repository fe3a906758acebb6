# SPDX-License-Identifier: Apache-2.0
"""A network of every operator the hls4ml back end has, small enough to compile in seconds."""

from __future__ import annotations

import numpy as np

from codesign.graph.ir import (
    Concat,
    Conv,
    DeformConv,
    Graph,
    MaxPool,
    Node,
    Requant,
    Shuffle,
    Slice,
    Tensor,
    Upsample,
)
from codesign.graph.rules import check, output_shape
from codesign.numeric import requant_parameters

SIZE = 32


def small_graph(form: str = "square", bound: int = 3, seed: int = 0) -> Graph:
    """3x32x32 in; stem, pool, split, 1x1, depthwise, concat, shuffle, offsets, deformable, upsampling, two heads."""
    made = _Maker(np.random.default_rng(seed))
    made.conv("stem", "image", 4, kernel=3, stride=2, pad=1, bits=8)
    made.move(MaxPool("pool", ("stem",), "pool", 3, 2, 1))
    made.move(Slice("keep", ("pool",), "keep", 0, 2))
    made.move(Slice("work", ("pool",), "work", 2, 4))
    made.conv("mix", "work", 2, like="keep")
    made.conv("local", "mix", 2, kernel=3, pad=1, groups=2, like="keep")
    made.move(Concat("concat", ("keep", "local"), "concat"))
    made.move(Shuffle("shuffle", ("concat",), "shuffle", 2))
    made.offsets("offset", "shuffle", form, bound)
    made.deform("deform", "shuffle", "offset", form, bound)
    made.move(Upsample("up", ("deform",), "up"))
    made.conv("hm", "up", 3)
    made.conv("wh", "up", 2)
    graph = Graph(made.image, tuple(made.nodes), made.tensors, {"first": "hm", "second": "wh"})
    check(graph)
    return graph


class _Maker:
    """Adds nodes; scales are chosen so that codes spread."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.image = Tensor("image", (3, SIZE, SIZE), 1 / 128, 0)
        self.tensors, self.nodes = {"image": self.image}, []

    def add(self, node: Node, scale: float, zero: int) -> None:
        shape = output_shape(node, [self.tensors[name].shape for name in node.inputs])
        self.tensors[node.output] = Tensor(node.output, shape, scale, zero)
        self.nodes.append(node)

    def move(self, node: Node) -> None:
        first = self.tensors[node.inputs[0]]
        self.add(node, first.scale, first.zero_point)

    def requant(self, weight: np.ndarray, source: Tensor, scale: float, zero: int, lo: int = -128, hi: int = 127) -> Requant:
        gains = self.rng.uniform(0.02, 0.2, len(weight))  # uneven channels
        bias = self.rng.uniform(-20, 20, len(weight)) * scale
        m, s, b = requant_parameters(weight, source.scale, gains * scale / source.scale, scale, source.zero_point, bias)
        return Requant(m, s, b, zero, lo, hi)

    def conv(self, name: str, source: str, filters: int, *, kernel: int = 1, stride: int = 1, pad: int = 0, groups: int = 1,
             bits: int = 4, like: str = "") -> None:  # fmt: skip
        given = self.tensors[source]
        weight = self.rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (filters, given.shape[0] // groups, kernel, kernel)).astype(np.int8)
        scale, zero = (self.tensors[like].scale, self.tensors[like].zero_point) if like else (0.05, -17)
        requant = self.requant(weight, given, scale, zero)
        self.add(Conv(name, (source,), name, weight, bits, requant, stride, pad, groups), scale, zero)

    def offsets(self, name: str, source: str, form: str, bound: int) -> None:
        given = self.tensors[source]
        weight = self.rng.integers(-7, 8, (1 if form == "square" else 18, given.shape[0], 1, 1)).astype(np.int8)
        scale = np.full(len(weight), 0.02 / given.scale)
        m, s, b = requant_parameters(weight, given.scale, scale, 1.0, given.zero_point, np.full(len(weight), 1.0))
        requant = Requant(m, s, b, 0, 0 if form == "square" else -bound, bound)
        self.add(Conv(name, (source,), name, weight, 4, requant), 1.0, 0)

    def deform(self, name: str, source: str, offsets: str, form: str, bound: int) -> None:
        given = self.tensors[source]
        weight = self.rng.integers(-8, 8, (given.shape[0], 1, 3, 3)).astype(np.int8)
        node = DeformConv(name, (source, offsets), name, weight, 4, self.requant(weight, given, 0.05, 5), form, bound)
        self.add(node, 0.05, 5)
