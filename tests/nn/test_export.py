# SPDX-License-Identifier: Apache-2.0
"""The node list computes what the network computes: every layer from the network's own input codes, in integers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

import torch.nn.functional as F  # noqa: E402

from codesign.nn.deform import deform_depthwise  # noqa: E402
from codesign.nn.export import export_layers, trace_codes  # noqa: E402
from codesign.nn.nodes import ConcatNode, ConvNode, DeformNode, OutputNode, SplitNode  # noqa: E402
from tests.nn.small import as_input, frame, quantised, small_config  # noqa: E402


def layer_codes(node: ConvNode | DeformNode, codes: dict[str, np.ndarray]) -> np.ndarray:
    """Output codes of one layer in exact integers plus one float64 rescale, as `nodes.py` defines them."""
    x = torch.from_numpy(codes[node.input].astype(np.float64) - node.in_quant.zero_point)[None]
    weight = torch.from_numpy(node.weight.astype(np.float64))
    if isinstance(node, DeformNode):
        offset = torch.from_numpy(codes[node.offset].astype(np.float32))[None]
        total = deform_depthwise(x, offset, weight, node.operator, True)
    else:
        total = F.conv2d(x, weight, stride=node.stride, padding=node.pad, groups=node.groups)
    real = total[0].numpy() * (node.in_quant.scale * node.weight_scale)[:, None, None] + node.bias[:, None, None]
    q = node.out_quant
    return np.clip(np.rint(real / q.scale) + q.zero_point, q.lo, q.hi)


@pytest.mark.parametrize("changes", [
    {}, {"weight_bits": 8}, {"operator": "pairs"}, {"operator": "plain"}, {"operator": "plain", "kernel": 7}, {"stem": "s4"}, {"deform_first": False},
])  # fmt: skip
def test_nodes_give_the_networks_codes(changes: dict) -> None:
    config = small_config(**changes)
    net, image = quantised(config), frame(config, 7)
    codes = trace_codes(net, image)
    for node in export_layers(net):
        if isinstance(node, (ConvNode, DeformNode)):
            difference = np.abs(layer_codes(node, codes) - codes[node.output])
            assert difference.max() <= 1, node.name
            assert (difference == 0).mean() >= 0.999, node.name


def test_traced_heads_are_the_networks_outputs_and_names_are_unique() -> None:
    config = small_config()
    net, image = quantised(config), frame(config, 8)
    codes, nodes = trace_codes(net, image), export_layers(net)
    heads = net(as_input(image))
    ends = [n for n in nodes if isinstance(n, OutputNode)]
    assert [n.name for n in ends] == ["hm", "wh", "reg"]
    for node in ends:
        real = (codes[node.tensor] - node.out_quant.zero_point) * node.out_quant.scale
        np.testing.assert_allclose(real, heads[node.name][0].detach().numpy(), atol=node.out_quant.scale * 1.01)
    assert len({n.name for n in nodes}) == len(nodes)


def test_wiring_reads_only_what_was_written_and_halves_are_halves() -> None:
    net = quantised(small_config())
    written: set[str] = set()
    for node in export_layers(net):
        read = [getattr(node, k) for k in ("input", "offset", "tensor") if hasattr(node, k)]
        read += list(getattr(node, "inputs", ()))
        assert written.issuperset(read), node
        written.update([node.output] if hasattr(node, "output") else getattr(node, "outputs", ()))
    codes = trace_codes(net, frame(net.config))
    split = next(n for n in export_layers(net) if isinstance(n, SplitNode))
    np.testing.assert_array_equal(np.concatenate([codes[n] for n in split.outputs]), codes[split.input])


def test_concatenated_tensors_share_one_quantiser() -> None:
    nodes = export_layers(quantised(small_config()))
    quant = {n.output: n.out_quant for n in nodes if isinstance(n, ConvNode)}
    pairs = [n.inputs for n in nodes if isinstance(n, ConcatNode)]
    assert len(pairs) == 16
    for stage in ("stage1", "stage2", "stage3"):
        assert len({quant[t] for p in pairs for t in p if t in quant and t.startswith(stage)}) == 1


def test_traced_codes_fit_eight_bits_and_distances_vary() -> None:
    config = small_config()
    codes = trace_codes(quantised(config), frame(config, 5))
    assert all(c.min() >= -128 and c.max() <= 127 for c in codes.values())
    assert set(np.unique(codes["decoder3.offset"])) <= set(range(8))
    assert len(np.unique(codes["decoder3.offset"])) > 2
