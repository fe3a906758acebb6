# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 and SimpleNet: published sizes, and integer graphs that compute what the networks compute."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from codesign.golden.engine import run_node  # noqa: E402
from codesign.graph.count import mac_count  # noqa: E402
from codesign.graph.ir import Add, GlobalAveragePool  # noqa: E402
from codesign.lower.from_zoo import lower_zoo  # noqa: E402
from codesign.lower.random_zoo import zoo_graph  # noqa: E402
from codesign.nn.codenet import calibrate, parameter_counts, set_mode  # noqa: E402
from codesign.nn.export import trace_codes  # noqa: E402
from codesign.nn.export_zoo import export_zoo, zoo_network  # noqa: E402
from codesign.nn.zoo import ZOO, MobilenetConfig, SimplenetConfig  # noqa: E402

SMALL = {
    "classifier": MobilenetConfig("small", 0.35, (64, 64), 10),
    "detector": MobilenetConfig("small", 0.35, (64, 96), 3, detector=True, decoder=(16, 16, 8)),
    "plain": SimplenetConfig(size=(64, 32)),
}


def quantised(config, seed: int = 0):
    """Random weights, BN statistics of its own activations (so that no layer fades to zero), calibrated, quantisers on."""
    torch.manual_seed(seed)
    net, batch = zoo_network(config).train(), torch.rand(4, 3, *config.size) * 2 - 1
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over the batches
    with torch.no_grad():
        net(batch)
    calibrate(net.eval(), [batch])
    set_mode(net, True)
    return net


def structure(graph):
    return [(type(n).__name__, n.name, n.inputs, graph.tensors[n.output].shape) for n in graph.nodes]


def test_published_parameters_of_mobilenetv2() -> None:
    """3,504,872 for width 1.0 (arXiv 1801.04381 says 3.4 M), batch normalisation and the classifier's bias included."""
    conv, bn = parameter_counts(zoo_network(ZOO["mobilenetv2"]))
    assert (conv, bn, conv + bn) == (3_470_760, 34_112, 3_504_872)
    assert sum(parameter_counts(zoo_network(ZOO["mobilenetv2-0.5"]))) == 1_968_680


def test_published_parameters_of_simplenet() -> None:
    """5.48 M (arXiv 1608.06037)."""
    assert parameter_counts(zoo_network(ZOO["simplenet"]))[0] == 5_484_746


def test_published_multiplications_of_mobilenetv2() -> None:
    """300 M at 224x224."""
    assert mac_count(zoo_graph(replace(ZOO["mobilenetv2"], classes=1000))) == 300_774_272


@pytest.mark.parametrize("kind", SMALL)
def test_the_integer_graph_computes_what_the_network_does(kind: str) -> None:
    config = SMALL[kind]
    net = quantised(config)
    graph = lower_zoo(net)
    image = np.random.default_rng(5).integers(0, 256, (*config.size, 3)).astype(np.uint8)
    codes = {name: code.astype(np.int8) for name, code in trace_codes(net, image, export_zoo).items()}
    assert all(np.ptp(code.astype(int)) > 10 for name, code in codes.items() if "offset" not in name)  # offsets begin constant
    zero = {graph.input.name: graph.input.zero_point} | {n: t.zero_point for n, t in graph.tensors.items()}
    missed = total = 0
    for node in graph.nodes:
        got = run_node(node, [codes[name] for name in node.inputs], [zero[name] for name in node.inputs])
        gap = np.abs(got.astype(int) - codes[node.output])
        assert gap.max() <= 1 and (gap > 0).sum() <= max(2, 0.002 * gap.size), node.name  # rounding at a tie's edge
        missed, total = missed + (gap > 0).sum(), total + gap.size
    assert missed <= 0.0005 * total


@pytest.mark.parametrize("kind", SMALL)
def test_random_weights_have_the_networks_structure(kind: str) -> None:
    config = SMALL[kind]
    assert structure(lower_zoo(zoo_network(config).eval())) == structure(zoo_graph(config))


def test_ten_blocks_add_and_one_mean_ends_the_classifier() -> None:
    graph = lower_zoo(zoo_network(SMALL["classifier"]).eval())
    assert sum(isinstance(node, Add) for node in graph.nodes) == 10
    assert sum(isinstance(node, GlobalAveragePool) for node in graph.nodes) == 1


def test_relu6_ends_at_six() -> None:
    net = zoo_network(SMALL["classifier"]).eval()
    act = net.stem.act
    assert float(act(torch.tensor([7.0, -1.0])).max()) == 6.0
    calibrate(net, [1e3 * torch.rand(1, 3, 64, 64)])
    assert float(act.threshold.detach()) <= 6.0
