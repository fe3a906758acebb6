# SPDX-License-Identifier: Apache-2.0
"""The network family: published sizes, gradients everywhere, BN folding that commutes with quantisation."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from codesign.errors import UserError  # noqa: E402
from codesign.nn.codenet import (  # noqa: E402
    CoDeNet,
    calibrate,
    clone,
    conv_macs,
    fuse,
    is_fused,
    parameter_counts,
    set_mode,
)
from codesign.nn.config import CONFIGS, NetConfig, named_config  # noqa: E402
from tests.nn.small import as_input, frame, quantised, small_config  # noqa: E402

PUBLISHED = {  # conv parameters, BN parameters, conv MACs in 1e9 (20 classes)
    "a": (1_570_187, 17_844, 0.280),
    "b": (1_570_187, 17_844, 0.288),
    "c": (1_570_187, 17_844, 1.119),
    "d": (6_046_837, 35_590, 3.507),
    "e": (6_046_837, 35_590, 3.539),
}


@pytest.mark.parametrize("letter", "abcde")
def test_published_parameter_counts(letter: str) -> None:
    assert parameter_counts(CoDeNet(CONFIGS[letter])) == PUBLISHED[letter][:2]


@pytest.mark.parametrize("letter", ["a", "b", "c", pytest.param("d", marks=pytest.mark.slow),
                                    pytest.param("e", marks=pytest.mark.slow)])  # fmt: skip
def test_published_macs(letter: str) -> None:
    assert round(conv_macs(CoDeNet(CONFIGS[letter])) / 1e9, 3) == PUBLISHED[letter][2]


def fresh(config: NetConfig) -> CoDeNet:
    """As a run begins its quantised stage, with offset weights off zero."""
    torch.manual_seed(0)
    net = CoDeNet(config)
    for block in (net.decoder1, net.decoder2, net.decoder3):
        if block.offset is not None:
            torch.nn.init.normal_(block.offset.conv.weight, std=0.05)
    batch = torch.cat([as_input(frame(config, s)) for s in range(2)])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # running statistics are this batch's, so calibration sees what training sees
    net.train()(batch)
    calibrate(net, [batch])
    set_mode(net, True)
    return net.train()


@pytest.mark.parametrize("operator", ["plain", "pairs", "square"])
@pytest.mark.parametrize("rounding", ["integer", "bilinear"])
@pytest.mark.parametrize("deform_first", [True, False])
def test_every_parameter_gets_a_gradient_in_quantised_training(
    operator: str, rounding: str, deform_first: bool
) -> None:
    config = small_config(operator=operator, rounding=rounding, deform_first=deform_first)
    net = fresh(config)
    heads = net(torch.cat([as_input(frame(config, s)) for s in range(2)]))
    sum((v * torch.randn_like(v)).sum() for v in heads.values()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if not name.endswith("offset.conv.bias"):
            assert parameter.grad.abs().sum() > 0, name


def test_offset_bias_moves_distances() -> None:
    config = small_config()
    torch.manual_seed(0)
    net = CoDeNet(config)
    heads = net(torch.cat([as_input(frame(config, s)) for s in range(2)]))
    sum((v * torch.randn_like(v)).sum() for v in heads.values()).backward()
    for block in (net.decoder1, net.decoder2, net.decoder3):
        assert block.offset.conv.bias.grad.abs().sum() > 0
        assert block.offset.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("bits", [4, 8])
def test_folding_bn_keeps_the_quantised_network(bits: int) -> None:
    config = small_config(weight_bits=bits)
    net = quantised(config)
    folded = fuse(net)
    assert is_fused(folded) and not is_fused(net)
    image = as_input(frame(config, 9))
    for name, value in net(image).items():
        scale = getattr(net, name).last.act.spec().scale
        codes = (value - folded(image)[name]).abs() / scale
        assert (codes > 0.5).float().mean() < 0.02, name  # equal but for rounding ties of float sums


def test_clone_is_equal_and_independent() -> None:
    config = small_config()
    net = quantised(config)
    twin, image = clone(net), as_input(frame(config, 3))
    assert torch.equal(net(image)["hm"], twin(image)["hm"])
    twin.hm.last.conv.bias.data += 1
    assert not torch.equal(net(image)["hm"], twin(image)["hm"])


def test_switching_quantisers_off_gives_the_float_network_back() -> None:
    config = small_config()
    net = quantised(config)
    image = as_input(frame(config, 3))
    set_mode(net, False)
    before = net(image)["wh"].clone()
    set_mode(net, True)
    assert not torch.equal(net(image)["wh"], before)
    set_mode(net, False)
    assert torch.equal(net(image)["wh"], before)


def test_head_shapes_of_a_non_square_input() -> None:
    config = small_config(stem="s4")
    heads = CoDeNet(config).eval()(as_input(frame(config)))
    assert {k: tuple(v.shape) for k, v in heads.items()} == {
        "hm": (1, 3, 16, 24), "wh": (1, 2, 16, 24), "reg": (1, 2, 16, 24)
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [
    {"stem": "s8"}, {"operator": "round"}, {"input_size": (100, 96)}, {"classes": 0}, {"weight_bits": 3},
    {"bound": None}, {"width": 0.0}, {"decoder": (1, 2)}, {"bound": 200},
])  # fmt: skip
def test_wrong_configs_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        small_config(**wrong)


def test_config_round_trips_and_refuses_strangers() -> None:
    config = named_config("b", classes=10)
    assert NetConfig.from_json(config.to_json()) == config
    with pytest.raises(UserError, match="unknown field"):
        NetConfig.from_json({"colour": 1})
    with pytest.raises(UserError, match="unknown configuration"):
        named_config("z")
