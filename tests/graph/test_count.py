# SPDX-License-Identifier: Apache-2.0
"""MACs and parameters equal what was published (docs: README's table of configurations)."""

from __future__ import annotations

import pytest

from codesign.graph.count import mac_count, node_macs, parameter_count, value_count
from codesign.lower.random_net import random_graph
from codesign.lower.shapes import SHAPES


@pytest.mark.parametrize(
    ("config", "gmacs", "params"),
    [
        ("a", 0.280, 1_570_187),
        ("b", 0.288, 1_570_187),
        ("c", 1.119, 1_570_187),
        ("d", 3.507, 6_046_837),
        ("e", 3.539, 6_046_837),
    ],
)
def test_published_counts(config, gmacs, params):
    side = 128  # MACs grow with the number of pixels, exactly
    graph = random_graph(config, height=side, width=side)
    assert round(mac_count(graph) * (SHAPES[config].size // side) ** 2 / 1e9, 3) == gmacs
    assert parameter_count(graph) == params
    assert graph.meta["params"] == params


def test_values_and_node_macs_of_the_stem():
    graph = random_graph("b", height=64, width=96)
    stem = graph.nodes[0]
    assert node_macs(graph, stem) == 24 * 32 * 48 * 27
    assert value_count(graph) == sum(graph.tensors[n.output].values for n in graph.nodes)
