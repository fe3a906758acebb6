# SPDX-License-Identifier: Apache-2.0
"""Untrained networks exercise every distance and enough codes, at every size, and repeat from their seed."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.errors import UserError
from codesign.golden import image_codes, run, tensor_stats
from codesign.graph.ir import DeformConv
from codesign.graph.rules import check
from codesign.lower.random_layers import OPERATORS, random_codes, random_layer_graph
from codesign.lower.random_net import calibration_image, random_graph
from codesign.lower.textured_image import textured_image


@pytest.mark.parametrize(
    "arguments",
    [
        {"config": "a"},
        {"config": "b"},
        {"config": "c"},
        {"config": "b", "height": 320, "width": 224},
        {"config": "b", "weight_bits": 8},
        {"config": "b", "form": "pairs"},
        {"config": "b", "height": 64, "width": 64, "seed": 5},
    ],
    ids=str,
)
def test_codes_spread_and_every_distance_occurs_at_borders_and_corners(arguments):
    graph = random_graph(**arguments)
    check(graph)
    values = run(graph, image_codes(calibration_image(graph)))
    for stats in tensor_stats(graph, values):
        assert stats.values < 64 or stats.top_share <= (0.8 if stats.rectified else 0.6), stats.name
    corners: set[int] = set()
    layers = 0
    for node in graph.nodes:
        if not isinstance(node, DeformConv):
            continue
        d = values[node.inputs[1]]
        if d[0].size < 64:
            continue
        layers += 1
        wanted = set(range(0 if node.form == "square" else -7, 8))
        edge = np.ones(d.shape, dtype=bool)
        edge[:, 1:-1, 1:-1] = False
        assert set(np.unique(d[edge])) == wanted, node.name
        corners |= set(np.unique(d[:, [0, 0, -1, -1], [0, -1, 0, -1]]).tolist())
    assert layers >= 1 and (layers == 1 or corners == wanted)


def test_same_seed_same_network_other_seed_another():
    small = {"stages": (8, 16, 24), "units": (1, 1, 1), "last": 16}
    one, two, other = (random_graph(small, 2, 64, 64, seed=s) for s in (4, 4, 5))
    for a, b in zip(one.nodes, two.nodes, strict=True):
        assert not hasattr(a, "weight") or np.array_equal(a.weight, b.weight)
    assert not np.array_equal(one.nodes[0].weight, other.nodes[0].weight)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ({"height": 250}, "multiples of 32"),
        ({"config": "z"}, "'z'.*a, b, c, d, e"),
        ({"config": {"wdth": 2}}, "unknown field"),
        ({"form": "round"}, "square or pairs"),
    ],
)
def test_bad_arguments_are_refused(arguments, pattern):
    with pytest.raises(UserError, match=pattern):
        random_graph(**arguments)


def test_fuzz_graphs_repeat_and_reach_the_extremes():
    seen: dict[str, set[int]] = {"multiplier": set(), "shift": set(), "weight": set()}
    for seed in range(60):
        graph, again = (random_layer_graph(seed, side=12, channels=40) for _ in range(2))
        image = random_codes(graph, seed)
        values, repeated = run(graph, image), run(again, random_codes(again, seed))
        assert all(np.array_equal(values[name], repeated[name]) for name in values)
        for node in graph.nodes:
            if hasattr(node, "weight"):
                seen["weight"] |= set(np.unique(node.weight).tolist())
                seen["multiplier"] |= set(node.requant.multiplier.tolist())
                seen["shift"] |= set(node.requant.shift.tolist())
    assert {-128, -8, 7, 127} <= seen["weight"]
    assert {0, 2**16 - 1} <= seen["multiplier"]
    assert {8, 31} <= seen["shift"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_fuzz_can_be_confined_to_one_operator(operator):
    for seed in range(5):
        graph = random_layer_graph(seed, (operator,), side=12, channels=10, input_channels=3)
        assert graph.input.shape[0] == 3
        run(graph, random_codes(graph, seed))


def test_textured_image_has_contrast_at_every_scale():
    image = textured_image(96, 160, 3)
    assert image.shape == (96, 160, 3) and image.dtype == np.uint8
    assert np.array_equal(image, textured_image(96, 160, 3))
    for step in (1, 4, 16):
        assert image[::step, ::step].std() > 30


@pytest.mark.parametrize(("height", "width"), [(0, 64), (-32, 64), (64, 100), (64, 4096)])
def test_impossible_sizes_are_refused(height: int, width: int) -> None:
    with pytest.raises(UserError, match="multiples of 32"):
        random_graph("b", height=height, width=width)


def test_a_shape_without_room_for_every_distance_says_so() -> None:
    assert "corner" in random_graph("b", height=32, width=512).meta["shortfall"]
