# SPDX-License-Identifier: Apache-2.0
"""Range search, BN re-estimation and bias correction do what their names say."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from codesign.errors import UserError  # noqa: E402
from codesign.nn.blocks import ConvUnit  # noqa: E402
from codesign.nn.codenet import calibrate, clip_weights, fuse, set_mode  # noqa: E402
from codesign.nn.equalise import _reached, equalise, links  # noqa: E402
from codesign.nn.export import ConvNode, DeformNode, export_layers  # noqa: E402
from codesign.nn.quant import act_quantisers  # noqa: E402
from codesign.nn.ranges import LeastSquares, Percentile, weight_thresholds  # noqa: E402
from codesign.quantise.bias_correction import _means, _watched, correct_biases  # noqa: E402
from codesign.quantise.bn import reestimate_bn  # noqa: E402
from codesign.quantise.ptq import PtqOptions, copied, quantise, with_bits  # noqa: E402
from tests.nn.small import as_input, frame, quantised, small_config  # noqa: E402

IMAGES = [torch.cat([as_input(frame(small_config(), 10 + 2 * k)), as_input(frame(small_config(), 11 + 2 * k))]) for k in range(3)]


def float_net():
    net = quantised(small_config())
    set_mode(net, False)
    return net


def rounded(flat, top, limit):
    scale = (top / limit).unsqueeze(1)
    return (flat / scale).round().clamp(-limit, limit) * scale


@pytest.mark.parametrize("bits", [4, 8])
def test_mse_ranges_of_weights_lose_least(bits: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(12, 1000, 1, 1)
    weight[0] = 0
    limit, flat = 2 ** (bits - 1) - 1, weight.flatten(1)
    error = {}
    for search in ("max", "percentile", "mse"):
        top = weight_thresholds(weight, bits, search, 0.99)
        assert top.shape == (12,) and (top <= flat.abs().amax(1) + 1e-6).all() and (top[1:] > 0).all()
        error[search] = (rounded(flat[1:], top[1:], limit) - flat[1:]).square().sum(1)
    assert (error["mse"] <= error["max"] + 1e-6).all()
    if bits == 4:
        assert error["mse"].sum() < 0.85 * error["max"].sum()


def test_a_channel_of_few_weights_never_vanishes() -> None:
    weight = torch.zeros(1, 40, 1, 1)
    weight[0, 0] = 1.0
    assert weight_thresholds(weight, 4, "percentile", 0.5).item() == 1.0


@pytest.mark.parametrize("search", ["percentile", "mse"])
def test_clipped_weights_still_span_their_codes(search: str) -> None:
    net = float_net()
    before = [n.weight_scale.sum() for n in export_layers(fuse(net)) if isinstance(n, (ConvNode, DeformNode))]
    clip_weights(net, search, 0.9)
    nodes = [n for n in export_layers(fuse(net)) if isinstance(n, (ConvNode, DeformNode))]
    assert sum(n.weight_scale.sum() < was for n, was in zip(nodes, before, strict=True)) > len(nodes) // 2
    for node in nodes:
        assert set(abs(node.weight.astype(int)).reshape(len(node.weight), -1).max(1)) <= {0, 2 ** (node.weight_bits - 1) - 1}


@pytest.mark.parametrize("unsigned", [True, False])
def test_mse_range_ignores_a_lone_outlier_and_keeps_a_crowd(unsigned: bool) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 64, 64) if unsigned else torch.rand(1, 1, 64, 64) * 2 - 1
    crowd, lone = LeastSquares(unsigned), LeastSquares(unsigned)
    crowd.see(x)
    assert crowd.threshold() == pytest.approx(1.0, abs=0.03)
    x[0, 0, 0, 0] = 1.6
    lone.see(x)
    assert lone.threshold() > 1.3  # one value in 4096, 8 bits: worth keeping nearly whole
    assert LeastSquares(unsigned).threshold() is None and Percentile().threshold() is None


def test_percentile_share_sets_how_much_is_clipped() -> None:
    x = torch.arange(1, 1001).float().view(1, 1, 10, 100)
    found = []
    for share in (0.5, 0.9, 1.0):
        observer = Percentile(share)
        observer.see(x)
        found.append(observer.threshold())
    assert found == [500, 900, 1000]
    with pytest.raises(UserError, match="share"):
        Percentile(0)


def test_both_searches_set_every_range() -> None:
    net, ranges = float_net(), {}
    for search in ("percentile", "mse"):
        for q in act_quantisers(net):
            q.threshold.data.fill_(6.0)
        calibrate(net, IMAGES, search)
        ranges[search] = [float(q.threshold.detach()) for q in act_quantisers(net)]
        assert all(value != 6.0 for value in ranges[search]) and not any(q.enabled or q.observer for q in act_quantisers(net))
    assert ranges["percentile"] != ranges["mse"]
    with pytest.raises(UserError, match="must be one of"):
        calibrate(net, IMAGES, "best")


def test_reestimated_bn_holds_true_averages() -> None:
    net = quantised(small_config())
    wanted = []
    for batch in IMAGES:
        y = torch.nn.functional.conv2d(batch, net.stem.weight(), None, net.stem.conv.stride, net.stem.conv.padding)
        wanted.append((y.mean((0, 2, 3)), y.var((0, 2, 3))))
    assert reestimate_bn(net, iter(IMAGES)) == 3
    torch.testing.assert_close(net.stem.bn.running_mean, torch.stack([m for m, _ in wanted]).mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net.stem.bn.running_var, torch.stack([v for _, v in wanted]).mean(0), atol=1e-5, rtol=1e-4)
    assert net.stem.bn.momentum == 0.1 and not net.stem.bn.training and not net.training
    with pytest.raises(UserError, match="folded"):
        reestimate_bn(fuse(net), IMAGES)
    with pytest.raises(UserError, match="no images"):
        reestimate_bn(net, [])


def means(net, images):
    seen = {}
    with _watched(net, lambda name, _unit, y: seen.setdefault(name, _means(y)) is None or y), torch.no_grad():
        net(images)
    return seen


def test_bias_correction_gives_every_layer_the_float_means() -> None:
    reference = float_net()
    net = fuse(quantised(small_config()))
    images = torch.cat(IMAGES)
    moved = correct_biases(net, images, reference)
    units = {name for name, m in net.named_modules() if isinstance(m, ConvUnit)}
    assert set(moved) == units and max(moved.values()) > 0
    want, got = means(reference, images), means(net, images)
    for name in units:
        torch.testing.assert_close(got[name], want[name], atol=2e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="folded"):
        correct_biases(quantised(small_config()), images, reference)


@pytest.mark.parametrize("options", [PtqOptions(), *(pytest.param(o, marks=pytest.mark.slow) for o in (
    PtqOptions("percentile", "percentile", bn=True), PtqOptions(bias=False, weights="mse", equalise=False)))])
def test_eight_bits_follow_float_and_leave_the_source_alone(options: PtqOptions) -> None:
    """Seen behind stage 1: through the whole network, random weights amplify any noise."""
    source = quantised(small_config(operator="plain"))
    set_mode(source, False)
    images = torch.cat(IMAGES)  # one batch: statistics of two small images are not those of six
    reestimate_bn(source, [images])  # its random ones are nobody's averages
    before = {name: value.clone() for name, value in source.state_dict().items()}
    net = quantise(with_bits(source, 8), [images], options)
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())
    assert all(u.bits == 8 and u.quantised for u in net.modules() if isinstance(u, ConvUnit))
    assert len([n for n in export_layers(net) if isinstance(n, (ConvNode, DeformNode))]) == len(net.config.layers)
    with torch.no_grad():
        want, got = (n.stage1(torch.nn.functional.max_pool2d(n.stem(images), 3, 2, 1)) for n in (source, net))
    assert (got - want).square().mean() < 0.02 * want.var()


@pytest.mark.parametrize("change", [{}, {"operator": "plain"}, {"operator": "pairs"}, {"deform_first": False}])
def test_equalised_networks_compute_the_same(change: dict) -> None:
    """Channels of every linked tensor reach alike, and the heads stay what they were, live BN or fused."""
    source = quantised(small_config(**change))
    set_mode(source, False)
    for net in (copied(source, source.config), fuse(source)):
        with torch.no_grad():
            want = net(IMAGES[0])
            before = [spread(reached) for reached in _reached(net, list(links(net)), IMAGES[:1])]
            assert equalise(net, IMAGES[:1]) == len(before)
            got = net(IMAGES[0])
            after = [spread(reached) for reached in _reached(net, list(links(net)), IMAGES[:1])]
        for name, head in want.items():
            torch.testing.assert_close(got[name], head, atol=2e-3, rtol=1e-3)
        assert sum(after) > 1.5 * sum(before)


def spread(reached) -> float:
    """Mean over channels of how much of the tensor's range each uses."""
    return float((reached / reached.max()).mean())


def test_bits_are_chosen_layer_by_layer() -> None:
    net = with_bits(float_net(), 4, (("hm", 8),))
    assert net.hm.last.bits == 8 and net.wh.last.bits == 4 and net.stem.bits == 8
    assert copied(net, net.config).config == net.config


@pytest.mark.parametrize("wrong", [{"activations": "max"}, {"weights": "least"}, {"share": 0.2}])
def test_wrong_options_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        PtqOptions(**wrong)
    with pytest.raises(UserError, match="calibration images"):
        quantise(float_net(), [], PtqOptions())
