# SPDX-License-Identifier: Apache-2.0
"""Weight bits layer by layer: names, patterns, refusals; through network, model file and lowering."""

import json
from pathlib import Path

import pytest

from codesign.errors import UserError
from codesign.nn.config import NetConfig
from codesign.nn.layer_bits import bits_of, layer_names, parse, shown

MIX = (("*.depthwise", 8), ("stage2", 8), ("stage2.1", 4), ("stem", 4), ("hm.last", 8))


@pytest.mark.parametrize("operator", ["square", "plain"])
def test_names_are_the_networks_convolutions(operator: str) -> None:
    pytest.importorskip("brevitas")
    from codesign.nn.blocks import ConvUnit
    from codesign.nn.codenet import CoDeNet
    from tests.nn.small import small_config

    net = CoDeNet(small_config(operator=operator, layer_bits=MIX))
    units = {name: unit for name, unit in net.named_modules() if isinstance(unit, ConvUnit)}
    assert set(units) == set(layer_names(operator != "plain")) == set(net.config.layers)
    for name, unit in units.items():
        assert unit.bits == net.config.bits(name) == int(unit.conv.quant_weight().bit_width)
    assert units["stem"].bits == 4 and units["last"].bits == 4 and units["hm.last"].bits == 8
    assert units["stage2.0.left.expand"].bits == 8 and units["stage2.1.right.depthwise"].bits == 4


def test_the_last_pattern_that_fits_wins() -> None:
    pairs = parse(" stage1=8, stage1.0.right.*=4 ,stage1.0.right.expand=8,")
    assert [bits_of(f"stage1.{n}.right.{p}", pairs, 4) for n in (0, 1) for p in ("reduce", "expand")] == [4, 8, 8, 8]
    assert bits_of("stage10", pairs, 4) == 4  # a prefix ends at a dot
    assert parse(shown(pairs)) == pairs and parse(None) == parse("") == ()


def test_survives_json() -> None:
    config = NetConfig(layer_bits=MIX)
    assert NetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize("text", ["stem", "stem=6", "=8", "stem=8;last=8"])
def test_malformed_options_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--layer-bits"):
        parse(text)


@pytest.mark.parametrize("value", [5, "stem=8", (("stem",),), (("stem", 5),), (("stem", True),), ((3, 8),), (("stern", 8),),
                                   (("stem", 8),) * 1001, (("decoder1.offset.conv", 8),)])  # fmt: skip
def test_hostile_values_are_refused(value: object) -> None:
    with pytest.raises(UserError, match="layer_bits") as caught:
        NetConfig(layer_bits=value)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_a_plain_network_has_no_offset_layer() -> None:
    with pytest.raises(UserError, match="decoder1.offset"):
        NetConfig(operator="plain", layer_bits=(("decoder1.offset", 8),))


def test_model_file_and_lowering_carry_the_mix(tmp_path: Path) -> None:
    pytest.importorskip("brevitas")
    import numpy as np

    from codesign.graph.ir import Conv, DeformConv
    from codesign.lower.from_brevitas import lower
    from codesign.nn.model_file import load_model, save_model
    from tests.nn.small import quantised, small_config

    net = quantised(small_config(layer_bits=MIX))
    save_model(tmp_path / "m.safetensors", net, labels=["a", "b", "c"])
    back, info = load_model(tmp_path / "m.safetensors")
    assert info.config.layer_bits == MIX
    graphs = [lower(model) for model in (net, back)]
    for mine, theirs in zip(*(graph.nodes for graph in graphs), strict=True):
        if isinstance(mine, (Conv, DeformConv)):
            assert mine.weight_bits == theirs.weight_bits == net.config.bits(mine.name)
            assert np.array_equal(mine.weight, theirs.weight)
            assert np.abs(mine.weight).max() == 2 ** (mine.weight_bits - 1) - 1
    assert graphs[0].meta["layer_bits"] == [list(pair) for pair in MIX]
