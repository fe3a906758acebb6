# SPDX-License-Identifier: Apache-2.0
"""Golden where its short cuts begin and end: kernels that are not square, exactness of sums, statistics by hand."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.errors import UserError
from codesign.golden import accumulate, run_node, tensor_stats
from codesign.golden.sums import exact_dtype
from codesign.graph.ir import (
    Concat,
    Conv,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Node,
    Requant,
    Slice,
    Tensor,
)
from tests.golden.test_golden import slow_conv


def requant(count: int, lo: int = -128, hi: int = 127, zero: int = 0) -> Requant:
    ones = np.ones(count, np.int64)
    return Requant(ones * 2**15, ones * 17, ones * 0, zero, lo, hi)


def codes(*shape: int, seed: int = 0, low: int = -128, high: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.int8)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [((1, 1), 1, 0), ((1, 1), 2, 0), ((1, 1), 1, 1), ((2, 1), 1, 0), ((1, 2), 1, 0), ((3, 5), 2, 1), ((5, 2), 3, 2)],
)
def test_convolutions_of_any_kernel_equal_loops(kernel, stride, pad, depthwise):
    groups, per_group = (2, 1) if depthwise else (1, 2)
    weight = codes(2, per_group, *kernel, seed=1, low=-8, high=8)
    node = Conv("c", ("x",), "y", weight, 4, requant(2), stride, pad, groups)
    data = codes(2, 9, 8)
    height, width = ((n + 2 * pad - k) // stride + 1 for n, k in zip((9, 8), kernel))
    want = slow_conv(node, data, None, 11, (2, height, width))
    assert np.array_equal(run_node(node, [data], [11]), want)


@pytest.mark.parametrize("form", ["square", "pairs"])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 3), (3, 1), (1, 3), (1, 5), (1, 7)])
@pytest.mark.parametrize("bound", [1, 7])
def test_deformable_convolutions_of_any_kernel_equal_loops(form, kernel, bound):
    taps = kernel[0] * kernel[1]
    square = form == "square"
    offsets = codes(1 if square else 2 * taps, 6, 7, seed=2, low=0 if square else -bound, high=bound + 1)
    offsets[:, 0, 0], offsets[:, -1, -1] = 0 if square else -bound, bound
    node = DeformConv("d", ("x", "o"), "y", codes(2, 1, *kernel, seed=3, low=-8, high=8), 4, requant(2), form, bound)
    data = codes(2, 6, 7)
    want = slow_conv(node, data, offsets, -9, data.shape)
    assert np.array_equal(run_node(node, [data, offsets], [-9, 0]), want)


def test_the_largest_bound_times_the_kernel_is_more_than_int8():
    node = DeformConv("d", ("x", "o"), "y", np.ones((1, 1, 5, 5), np.int8), 4, requant(1), "square", 127)
    data, offsets = np.full((1, 3, 3), 100, np.int8), np.full((1, 3, 3), 127, np.int8)
    assert (run_node(node, [data, offsets], [0, 0]) == 25).all()  # the centre alone lies inside


def test_one_offset_out_of_bound_is_enough_and_named():
    node = DeformConv("d", ("x", "o"), "y", np.ones((1, 1, 3, 3), np.int8), 4, requant(1), "square", 7)
    data, offsets = np.zeros((1, 2, 2), np.int8), np.array([[[0, 3], [3, 3]]], np.int8)
    for bad, said in ((-1, r"-1..3 leave 0..7"), (8, r"0..8 leave 0..7")):
        mixed = offsets.copy()
        mixed[0, 1, 1] = bad
        with pytest.raises(UserError, match=said):
            run_node(node, [data, mixed], [0, 0])
    pairs = DeformConv("d", ("x", "o"), "y", np.ones((1, 1, 3, 3), np.int8), 4, requant(1), "pairs", 2)
    with pytest.raises(UserError, match=r"-3..0 leave -2..2"):
        run_node(pairs, [data, np.arange(-3, 1, dtype=np.int8).reshape(1, 2, 2).repeat(18, 0)], [0, 0])
    no_pixels = np.zeros((1, 0, 2), np.int8)
    assert run_node(node, [no_pixels, no_pixels], [0, 0]).shape == (1, 0, 2)


def test_single_precision_ends_where_its_integers_do():
    assert exact_dtype(np.ones((2, 2**17, 1, 1), np.int8)) is np.float32
    assert exact_dtype(-np.ones((2, 2**17 + 1, 1, 1), np.int8)) is np.float64
    assert exact_dtype(np.full((1, 1025, 1, 1), -128, np.int8)) is np.float64
    assert exact_dtype(np.full((1, 1024, 1, 1), -128, np.int8)) is np.float32


def test_large_depthwise_maps_are_summed_channel_by_channel():
    data, weight = codes(3, 260, 260), codes(3, 1, 1, 1, seed=4, low=-8, high=8)
    node = Conv("c", ("x",), "y", weight, 4, requant(3), 1, 0, 3)
    assert np.array_equal(accumulate(node, [data], [0]), data * weight[:, 0].astype(int))


def test_accumulators_are_whole_numbers_in_a_float_array():
    for count, side in ((2, 3), (1, 500)):
        data = np.full((count, side, side), -127, np.int8)
        node = GlobalAveragePool("g", ("x",), "y", requant(count))
        acc = accumulate(node, [data], [0])
        assert acc.dtype == np.float64 and acc.shape == (count, 1, 1) and (acc == -127 * side * side).all()


def test_what_has_no_accumulator_or_no_operator_is_refused():
    pool, data = MaxPool("p", ("x",), "y", 2, 2, 0), np.zeros((1, 2, 2), np.int8)
    with pytest.raises(TypeError, match="MaxPool has no accumulator"):
        accumulate(pool, [data], [0])
    with pytest.raises(TypeError, match="no operator Node"):
        run_node(Node("n", ("x",), "y"), [data], [0])


def _stats(nodes: tuple[Node, ...], values: dict[str, np.ndarray], zero: int = 0) -> dict:
    tensors = {name: Tensor(name, value.shape, 1.0, zero) for name, value in values.items()}
    graph = Graph(tensors["x"], nodes, tensors, {"y": "y"}, {})
    return {s.name: s for s in tensor_stats(graph, values)}


def test_statistics_by_hand():
    x = np.array([[[-128, 127, 127, 5]]], np.int8)
    y = np.array([[[-20, 100, 100, 100, -20, 7, -21, 101]]], np.int8)
    nodes = (Slice("s", ("x",), "s", 0, 1), Conv("c", ("s",), "y", np.ones((1, 1, 1, 1), np.int8), 4, requant(1, -20, 100, 3)))
    stats = _stats(nodes, {"x": x, "s": x, "y": y})
    assert (stats["s"].saturated_share, stats["s"].top_code, stats["s"].top_share) == (0.75, 127, 0.5)  # the image's ends
    assert (stats["s"].values, stats["s"].rectified, stats["s"].distances) == (4, False, None)
    assert (stats["y"].saturated_share, stats["y"].top_code, stats["y"].top_share) == (5 / 8, 100, 3 / 8)
    assert not stats["y"].rectified
    relu = (Conv("c", ("x",), "y", np.ones((1, 1, 1, 1), np.int8), 4, requant(1, -20, 100, -20)),)
    stats = _stats(relu, {"x": x, "y": y})
    assert (stats["y"].saturated_share, stats["y"].rectified) == (3 / 8, True)  # a ReLU's zero is a value


def test_moved_codes_keep_the_ends_of_their_first_source():
    x = np.array([[[4, 9]]], np.int8)
    one = np.ones((1, 1, 1, 1), np.int8)
    nodes = (
        Conv("a", ("x",), "a", one, 4, requant(1, -20, 9)),
        Conv("b", ("x",), "b", one, 4, requant(1, -20, 4)),
        Concat("y", ("a", "b"), "y"),
    )
    stats = _stats(nodes, {"x": x, "a": x, "b": x, "y": np.array([[[4, 9, 9, 9]]], np.int8)})
    assert stats["y"].saturated_share == 0.75


@pytest.mark.parametrize(("form", "least"), [("square", 0), ("pairs", -2)])
def test_offsets_are_counted_by_distance(form, least):
    o = np.array([[[-2, 2, 2, 0, 1, -1]]], np.int8)
    one = np.ones((1, 1, 1, 1), np.int8)
    nodes = (
        Conv("o", ("x",), "o", one, 4, requant(1, least, 2)),
        DeformConv("y", ("x", "o"), "y", np.ones((1, 1, 3, 3), np.int8), 4, requant(1), form, 2),
    )
    stats = _stats(nodes, {"x": o, "o": o, "y": o})
    assert stats["o"].distances == {d: int((o == d).sum()) for d in range(least, 3)}
    assert not stats["o"].rectified and stats["y"].distances is None
