# SPDX-License-Identifier: Apache-2.0
"""A case's graph and input codes."""

from __future__ import annotations

import numpy as np

from codesign.fuzz.case import KINDS, Case
from codesign.fuzz.cut import cut
from codesign.graph.ir import Conv, Graph
from codesign.lower.random_layers import random_codes, random_layer_graph
from codesign.lower.random_networks import random_network_graph
from codesign.numeric import CODE_MAX, CODE_MIN

_SIDES = (2, 6, 14, 24, 40)  #: largest sides of a layer case
_CHANNELS = {2: 900, 6: 300, 14: 160, 24: 100, 40: 60}  #: most channels, by the largest side
_EXTREME = 0.15  #: share of cases whose input drives a sum to its bounds


def source(case: Case) -> tuple[Graph, np.ndarray]:
    """The graph and its input codes int8 (C, H, W). The same for the same case; raises `UserError` where it is cut so
    that nothing is left."""
    rng = np.random.default_rng([KINDS.index(case.kind), case.seed])
    if case.kind == "layer":
        side = int(rng.choice(_SIDES))
        graph = random_layer_graph(rng, side=side, channels=int(rng.choice([4, 34, _CHANNELS[side]])))
    else:
        graph = random_network_graph(rng)
    codes = random_codes(graph, rng)
    if rng.random() < _EXTREME:
        codes = to_the_bounds(graph, codes, rng)
    if case.input or case.output or case.crop:
        return cut(graph, codes, case.input, case.output, case.crop)
    return graph, codes


def to_the_bounds(graph: Graph, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``codes`` with pixels that bring a channel of the first array layer to the least and the greatest sum its weights
    allow."""
    node = next((n for n in graph.nodes if isinstance(n, Conv) and n.groups == 1 and n.inputs[0] == graph.input.name), None)
    if node is None:
        return codes
    kh, kw = node.weight.shape[2:]
    codes = codes.copy()
    _, height, width = codes.shape
    for greatest in (True, False):
        weight = node.weight[int(rng.integers(node.weight.shape[0]))]
        best = np.where((weight > 0) == greatest, CODE_MAX, CODE_MIN).astype(np.int8)
        y, x = int(rng.integers(max(1, height - kh + 1))), int(rng.integers(max(1, width - kw + 1)))
        area = codes[:, y : y + kh, x : x + kw]
        area[:] = best[:, : area.shape[1], : area.shape[2]]
    return codes
