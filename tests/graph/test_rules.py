# SPDX-License-Identifier: Apache-2.0
"""Every rule refuses its own violation by name, and accepts what golden runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codesign.errors import UserError
from codesign.graph.ir import Concat, Conv, DeformConv, Graph, MaxPool, Slice
from codesign.graph.rules import check
from codesign.lower.random_net import random_graph

SMALL = {"stem": "s2max", "stages": (8, 16, 24), "units": (1, 2, 1), "last": 32, "decoder": (16, 8, 8), "head": 8}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return random_graph(SMALL, classes=2, height=64, width=64)


def change(graph: Graph, layer: str, **fields: object) -> Graph:
    nodes = tuple(replace(n, **fields) if n.name == layer else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def change_requant(graph: Graph, name: str, field: str, channel: int, value: int) -> Graph:
    requant = next(n for n in graph.nodes if n.name == name).requant
    array = getattr(requant, field).copy()
    array[channel] = value
    return change(graph, name, requant=replace(requant, **{field: array}))


def retensor(graph: Graph, name: str, **fields: object) -> Graph:
    return replace(graph, tensors={**graph.tensors, name: replace(graph.tensors[name], **fields)})


def refused(graph: Graph, pattern: str) -> None:
    with pytest.raises(UserError, match=pattern) as caught:
        check(graph)
    assert "\n" not in str(caught.value)


def test_random_network_passes(graph):
    check(graph)


def test_names_are_unique_and_tensors_written_once(graph):
    refused(change(graph, "last", name="stem"), "'stem'.*twice")
    refused(change(graph, "last", output="stem"), "'last'.*written already")
    refused(change(graph, "last", inputs=("hm.last",)), "'last'.*no earlier layer")
    refused(replace(graph, outputs={"hm": "nowhere"}), "'hm'.*'nowhere'")
    refused(replace(graph, nodes=()), "no layer|written by no layer")


@pytest.mark.parametrize(
    ("field", "value", "pattern"),
    [
        ("multiplier", 65536, r"'last': channel 5.*65536.*0\.\.65535"),
        ("multiplier", 100, r"'last': channel 5.*not normalised"),
        ("shift", 32, r"'last': channel 5.*8\.\.31"),
        ("shift", 7, r"'last': channel 5.*8\.\.31"),
        ("bias", 2**47, r"'last': channel 5.*not within"),
        ("bias", 2**47 - 1, r"'last' channel 5.*2\*\*47"),
    ],
)
def test_requantisation_fields_hold_their_widths(graph, field, value, pattern):
    refused(change_requant(graph, "last", field, 5, value), pattern)


def test_zero_points_at_concat_must_be_shared(graph):
    name = "stage2.1.concat"
    node = next(n for n in graph.nodes if n.name == name)
    assert isinstance(node, Concat)
    maker = next(n for n in graph.nodes if n.output == node.inputs[1])
    moved = change(graph, maker.name, requant=replace(maker.requant, zero_point=-100))
    refused(retensor(moved, node.inputs[1], zero_point=-100), "share one quantiser")
    refused(retensor(graph, node.inputs[1], scale=0.5), "share one quantiser")


def test_offsets_must_be_proven_in_range(graph):
    offset = next(n for n in graph.nodes if n.name == "decoder1.offset")
    refused(change(graph, offset.name, requant=replace(offset.requant, hi=8)), r"'decoder1.depthwise'.*0\.\.7")
    refused(change(graph, offset.name, requant=replace(offset.requant, lo=-1)), r"'decoder1.depthwise'.*0\.\.7")
    refused(change(graph, "decoder1.depthwise", form="pairs"), "'decoder1.depthwise'.*shape")


def test_weights_must_fit_their_bits(graph):
    node = next(n for n in graph.nodes if n.name == "last")
    weight = node.weight.copy()
    weight[3, 0] = 8
    refused(change(graph, "last", weight=weight), r"'last': channel 3.*do not fit 4 bits")
    refused(change(graph, "last", weight=weight.astype(np.int16)), "'last'.*want int8")
    refused(change(graph, "last", weight_bits=5), "'last'.*5-bit")


def test_accumulator_must_fit(graph):
    node = next(n for n in graph.nodes if n.name == "last")
    with pytest.raises(UserError, match=r"'stem' channel \d+.*more than 10 bits.*bits would do"):
        check(change(graph, "last", weight=node.weight), acc_bits=10)


def test_shapes_follow_the_operators(graph):
    refused(retensor(graph, "last", shape=(32, 2, 3)), "'last'.*output has shape")
    refused(change(graph, "stem", groups=2), "'stem'.*groups")
    sliced = next(n for n in graph.nodes if isinstance(n, Slice))
    refused(change(graph, sliced.name, stop=99), f"'{sliced.name}'.*channels")
    pool = next(n for n in graph.nodes if isinstance(n, MaxPool))
    refused(change(graph, pool.name, pad=3), f"'{pool.name}'.*pad")
    deform = next(n for n in graph.nodes if isinstance(n, DeformConv))
    refused(change(graph, deform.name, inputs=deform.inputs[:1]), f"'{deform.name}'.*takes 2 inputs")
    conv = next(n for n in graph.nodes if isinstance(n, Conv))
    refused(change(graph, conv.name, weight=np.ones((24, 4, 3, 3), np.int8)), f"'{conv.name}'.*channels")
