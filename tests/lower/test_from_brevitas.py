# SPDX-License-Identifier: Apache-2.0
"""Lowering a quantised network: same structure as the untrained graphs, same codes as Brevitas, refusals by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from codesign.errors import UserError  # noqa: E402 - torch is optional
from codesign.golden import image_codes, run  # noqa: E402
from codesign.graph.count import parameter_count  # noqa: E402
from codesign.graph.files import load_graph, save_graph  # noqa: E402
from codesign.graph.ir import Graph  # noqa: E402
from codesign.lower.agreement import layer_agreement  # noqa: E402
from codesign.lower.from_brevitas import graph_from_layers, lower  # noqa: E402
from codesign.lower.random_net import random_graph  # noqa: E402
from codesign.lower.textured_image import textured_image  # noqa: E402
from codesign.nn.codenet import CoDeNet, calibrate, set_mode  # noqa: E402
from codesign.nn.config import NetConfig  # noqa: E402
from codesign.nn.export import export_layers  # noqa: E402
from codesign.program.config import AcceleratorConfig  # noqa: E402
from tests.plan.test_plan import assert_planned_equals_golden  # noqa: E402


def quantised(config: NetConfig, seed: int = 0) -> CoDeNet:
    """A network with uneven batch norms and offsets, calibrated on textured images."""
    torch.manual_seed(seed)
    model = CoDeNet(config)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.1, 0.3)
                module.momentum = None  # a plain average: two passes settle the statistics
            if name.endswith("offset"):
                module.conv.weight.normal_(0, 0.2)
                module.conv.bias.fill_(2.5)
    frames = [textured_image(*config.input_size, seed=s) for s in range(2)]
    batch = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float()
    batch = (batch - 128) / 128
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(batch)
    calibrate(model, [batch])
    set_mode(model, True)
    return model.eval()


SMALL = NetConfig(width=0.25, input_size=(96, 64), classes=3, decoder=(24, 16, 16))


@pytest.fixture(scope="module")
def small() -> tuple[CoDeNet, Graph]:
    model = quantised(SMALL)
    return model, lower(model, labels=("one", "two", "three"))


def structure(graph: Graph) -> list[tuple]:
    return [(type(n).__name__, n.name, n.inputs, n.output, getattr(n, "weight", np.zeros(0)).shape) for n in graph.nodes]


@pytest.mark.parametrize("stem", ["s4", "s2max"])
def test_b_lowers_to_the_structure_of_the_untrained_graph(stem):
    model = CoDeNet(NetConfig(stem=stem, input_size=(64, 64)))
    set_mode(model, True)
    graph = lower(model.eval())
    assert structure(graph) == structure(random_graph("b" if stem == "s2max" else "a", height=64, width=64))
    assert parameter_count(graph) == graph.meta["params"] == 1_570_187


def test_every_layer_agrees_with_brevitas(small):
    model, graph = small
    rows = layer_agreement(model, graph, [textured_image(96, 64, seed=9)])
    assert len(rows) == sum(hasattr(n, "weight") for n in graph.nodes)
    for row in rows:
        # A tiny layer may hold one differing 2x2 block or two, which is more than 0.1 % of it.
        assert row.fed_greatest <= 1 and row.values - row.fed_equal <= max(8, row.values // 1000), row
    assert sum(r.fed_equal for r in rows) / sum(r.values for r in rows) >= 0.999


@pytest.mark.parametrize(
    "fields",
    [{"operator": "pairs"}, {"operator": "plain", "stem": "s4"}, {"operator": "plain", "kernel": 7}, {"weight_bits": 8, "deform_first": False, "bound": 3}],
    ids=str,
)
def test_other_operators_and_bits_agree_too(fields):
    model = quantised(replace(SMALL, **fields))
    rows = layer_agreement(model, lower(model), [textured_image(96, 64, seed=9)])
    assert max(r.fed_greatest for r in rows) <= 1
    assert sum(r.fed_equal for r in rows) / sum(r.values for r in rows) >= 0.999


def test_plain_7x7_decoder_runs_on_the_accelerator():
    """Brevitas to golden above; here golden to the planned program, value by value."""
    graph = lower(quantised(replace(SMALL, input_size=(64, 64), operator="plain", kernel=7)))
    kernels = {n.name: n.weight.shape[2:] for n in graph.nodes if n.name.endswith("decoder3.depthwise")}
    assert kernels == {"decoder3.depthwise": (7, 7)}
    assert_planned_equals_golden(graph, image_codes(textured_image(64, 64, seed=3)), AcceleratorConfig(), None)


def test_lowered_graph_survives_the_disk_and_other_sizes(small, tmp_path):
    model, graph = small
    save_graph(graph, tmp_path / "g.safetensors")
    codes = image_codes(textured_image(96, 64, seed=2))
    ours, loaded = run(graph, codes), run(load_graph(tmp_path / "g.safetensors"), codes)
    assert all(np.array_equal(ours[name], loaded[name]) for name in ours)
    other = lower(model, size=(32, 160))
    assert other.tensors["hm.last"].shape == (3, 8, 40)
    run(other, image_codes(textured_image(32, 160)))


def test_refusals_name_layer_channel_and_remedy(small):
    model, _ = small
    layers = export_layers(model)
    at = next(i for i, layer in enumerate(layers) if layer.name == "last")
    last = layers[at]

    def with_last(**fields: object) -> list:
        return [*layers[:at], replace(last, **fields), *layers[at + 1 :]]

    scale = last.weight_scale.copy()
    scale[2] = 1e6
    with pytest.raises(UserError, match=r"'last' channel 2.*multiplier.*output scale"):
        graph_from_layers(with_last(weight_scale=scale), (96, 64), {})
    bias = last.bias.copy()
    bias[1] = np.nan
    with pytest.raises(UserError, match=r"'last' channel 1.*bias.*not finite"):
        graph_from_layers(with_last(bias=bias), (96, 64), {})
    wide = np.full(last.weight.shape, 7, dtype=np.int8)
    with pytest.raises(UserError, match=r"channel \d+: accumulator.*more than 14 bits.*bits would do"):
        graph_from_layers(with_last(weight=wide), (96, 64), {}, acc_bits=14)


def test_dead_channel_keeps_its_bias(small):
    model, _ = small
    layers = export_layers(model)
    at = next(i for i, layer in enumerate(layers) if layer.name == "hm.last")
    weight = layers[at].weight.copy()
    weight[0] = 0
    layers[at] = replace(layers[at], weight=weight)
    graph = graph_from_layers(layers, (96, 64), {})
    requant = next(n for n in graph.nodes if n.name == "hm.last").requant
    assert (requant.multiplier[0], requant.shift[0]) == (0, 31)
    value = run(graph, image_codes(textured_image(96, 64)))["hm.last"][0]
    quant = layers[at].out_quant
    assert set(value.ravel()) == {round(float(layers[at].bias[0]) / quant.scale) + quant.zero_point}


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [({"size": (100, 64)}, "multiples of 32"), ({"labels": ("one",)}, "1 labels for 3 classes")],
)
def test_bad_arguments_are_refused(small, arguments, pattern):
    with pytest.raises(UserError, match=pattern):
        lower(small[0], **arguments)


def test_bilinear_networks_are_refused():
    with pytest.raises(UserError, match="bilinear"):
        lower(CoDeNet(replace(SMALL, rounding="bilinear")))
