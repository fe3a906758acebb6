# SPDX-License-Identifier: Apache-2.0
"""Faults planted into one layer of a network: the first differing layer, value, operands and rule are found."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.diff import MISSING, Finding, check_layers, operands
from codesign.diff.affine import half_up
from codesign.golden import accumulate, run, run_node
from codesign.graph.ir import Conv, DeformConv
from codesign.lower.random_net import calibration_image, random_graph
from codesign.numeric import image_codes, rne

POINTWISE, DEPTHWISE = "stage1.1.right.reduce", "stage1.1.right.depthwise"


@pytest.fixture(scope="module")
def net():
    graph = random_graph("b", height=64, width=64)
    codes = image_codes(calibration_image(graph))
    return graph, codes, run(graph, codes)


def planted(net, name, change):
    """Every tensor of the network in which node ``name`` is another (`change` of it), the rest as it was."""
    graph, codes, _ = net
    values = {graph.input.name: codes}
    zero = {graph.input.name: 0, **{n: t.zero_point for n, t in graph.tensors.items()}}
    for node in graph.nodes:
        used = change(node) if node.name == name else node
        inputs = [values[n] for n in node.inputs]
        zeros = [zero[n] for n in node.inputs]
        values[node.output] = used(inputs, zeros) if callable(used) else run_node(used, inputs, zeros)
    return values


def first(net, values):
    return next((Finding.of(check) for check in check_layers(net[0], values) if check.differing), None)


def node_of(net, name):
    return next(node for node in net[0].nodes if node.name == name)


def test_equal_networks_have_no_difference(net):
    assert first(net, net[2]) is None


@pytest.mark.parametrize("name", [POINTWISE, DEPTHWISE, "stem", "decoder1.depthwise"])
def test_one_weight_bit(net, name):
    def flip(node):
        weight = node.weight.copy()
        where = tuple(s // 2 for s in weight.shape)
        weight[where] ^= 2
        return replace(node, weight=weight)

    found = first(net, planted(net, name, flip))
    old = int(node_of(net, name).weight[tuple(s // 2 for s in node_of(net, name).weight.shape)])
    assert found.check.node.name == name and found.channel == node_of(net, name).weight.shape[0] // 2
    assert found.explanation.certain and f"instead of {old} (" in found.explanation.rule and "weight" in found.explanation.rule


@pytest.mark.parametrize(
    ("change", "says"),
    [(lambda r: replace(r, bias=r.bias ^ (1 << 18)), "bias"), (lambda r: replace(r, shift=r.shift - 1), "shift"),
     (lambda r: replace(r, multiplier=r.multiplier ^ 1 << 14), "multiplier"), (lambda r: replace(r, lo=-128, hi=127, zero_point=0), "zero point")],
)  # fmt: skip
def test_one_constant(net, change, says):
    found = first(net, planted(net, POINTWISE, lambda node: replace(node, requant=change(node.requant))))
    assert found.check.node.name == POINTWISE and found.explanation.certain and says in found.explanation.rule


def test_rounding_half_up(net):
    """Multipliers of a power of two make ties, so that the rules of rounding give different codes."""
    graph, codes, _ = net
    target = node_of(net, POINTWISE)
    r = replace(target.requant, multiplier=np.full_like(target.requant.multiplier, 1 << 15), shift=np.full_like(target.requant.shift, 22))
    tied = replace(graph, nodes=tuple(replace(n, requant=r) if n is target else n for n in graph.nodes))

    def rounded_up(node):
        def compute(inputs, zeros):
            acc = accumulate(node, inputs, zeros).astype(np.int64)
            shape = (-1, 1, 1)
            scaled = acc * r.multiplier.reshape(shape) + r.bias.reshape(shape) // (1 << 15) * (1 << 15)
            return (half_up(scaled, 22) + r.zero_point).clip(r.lo, r.hi).astype(np.int8)

        return compute

    even = replace(r, bias=r.bias // (1 << 15) * (1 << 15))
    tied = replace(graph, nodes=tuple(replace(n, requant=even) if n is target else n for n in graph.nodes))
    values = planted((tied, codes, run(tied, codes)), POINTWISE, rounded_up)
    found = first((tied, codes, None), values)
    assert found.check.node.name == POINTWISE
    assert found.explanation.certain and found.explanation.rule.startswith("rounding half up")


def test_padding_with_zero(net):
    def zero_padded(node):
        return lambda inputs, zeros: run_node(node, inputs, [0])

    found = first(net, planted(net, DEPTHWISE, zero_padded))
    assert found.explanation.certain and found.explanation.rule.startswith("padding reads code 0")


def test_distances_ignored(net):
    def plain(node):
        assert isinstance(node, DeformConv)
        return lambda inputs, zeros: run_node(node, [inputs[0], np.ones_like(inputs[1])], zeros)

    found = first(net, planted(net, "decoder2.depthwise", plain))
    assert found.explanation.certain and "distances ignored" in found.explanation.rule


@pytest.mark.parametrize("name", [DEPTHWISE, "decoder2.depthwise"])
def test_taps_read_a_column_away(net, name):
    def beside(node):
        def compute(inputs, zeros):
            data = inputs[0].copy()
            data[:, :, :-1], data[:, :, -1] = inputs[0][:, :, 1:], zeros[0]
            return run_node(node, [data, *inputs[1:]], zeros)

        return compute

    found = first(net, planted(net, name, beside))
    assert found.check.node.name == name
    assert found.explanation.rule == "taps read +0 rows, +1 columns away"
    assert 100 * found.explanation.explained >= 80 * found.explanation.differing  # padding on the left moves too


def test_channels_swapped_by_a_view(net):
    graph, _, values = net
    shuffle = next(node for node in graph.nodes if type(node).__name__ == "Shuffle")
    swapped = dict(values)
    swapped[shuffle.output] = values[shuffle.output][::-1].copy()
    found = first(net, swapped)
    assert found.check.node is shuffle and found.taken is None and "channel order" in found.explanation.rule


def test_a_value_never_written(net):
    values = {name: array.astype(np.int16) for name, array in net[2].items()}
    values[POINTWISE][3, 2, 1] = MISSING
    found = first(net, values)
    assert (found.check.node.name, found.channel, found.y, found.x, found.got) == (POINTWISE, 3, 2, 1, None)


def test_later_layers_are_judged_on_what_they_had(net):
    def flip(node):
        weight = node.weight.copy()
        weight[0] = -weight[0]
        return replace(node, weight=weight)

    wrong = [check.node.name for check in check_layers(net[0], planted(net, POINTWISE, flip)) if check.differing]
    assert wrong == [POINTWISE]


@pytest.mark.parametrize("name", [POINTWISE, DEPTHWISE, "stem", "decoder1.depthwise", "decoder3.depthwise"])
def test_operands_make_goldens_sums(net, name):
    graph, codes, values = net
    node = node_of(net, name)
    zero = {graph.input.name: 0, **{n: t.zero_point for n, t in graph.tensors.items()}}
    inputs, zeros = [values.get(n, codes) for n in node.inputs], [zero[n] for n in node.inputs]
    sums = accumulate(node, inputs, zeros)
    ys, xs = (a.reshape(-1) for a in np.mgrid[0 : sums.shape[1], 0 : sums.shape[2]])
    for channel in (0, sums.shape[0] - 1):
        taken = operands(node, inputs, zeros, channel, ys, xs)
        assert np.array_equal(taken.sums, sums[channel].reshape(-1).astype(np.int64))
    assert isinstance(node, Conv | DeformConv) and rne(5, 1) == 2
