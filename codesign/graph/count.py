# SPDX-License-Identifier: Apache-2.0
"""Multiply-accumulates and parameters of a graph, as papers count them: convolutions only, no padding lanes."""

from __future__ import annotations

import math

from codesign.graph.ir import Conv, DeformConv, Graph, Node


def node_macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of one node: output values times weights per output channel; 0 but for convolutions."""
    if not isinstance(node, Conv | DeformConv):
        return 0
    return graph.tensors[node.output].values * math.prod(node.weight.shape[1:])


def mac_count(graph: Graph) -> int:
    """Multiply-accumulates of the whole network, `model.macs` of the report."""
    return sum(node_macs(graph, node) for node in graph.nodes)


def parameter_count(graph: Graph) -> int:
    """Convolution weights, plus one bias for each channel of a graph's output and of each offset convolution.

    Those are the biases the published network has; the others are folded batch normalisation, which the
    published 1,570,187 and 6,046,837 (20 classes) leave out.
    """
    biased = set(graph.outputs.values())
    biased |= {node.inputs[1] for node in graph.nodes if isinstance(node, DeformConv)}
    convs = [node for node in graph.nodes if isinstance(node, Conv | DeformConv)]
    weights = sum(node.weight.size for node in convs)
    return weights + sum(node.weight.shape[0] for node in convs if node.output in biased)


def value_count(graph: Graph) -> int:
    """Sum of C*H*W over every tensor a node writes: what `bit_exact.values` counts."""
    return sum(graph.tensors[node.output].values for node in graph.nodes)
