# SPDX-License-Identifier: Apache-2.0
"""Quantisers: code ranges, ties, the fast training path against Brevitas, straight-through distances."""

import pytest

torch = pytest.importorskip("torch")
qnn = pytest.importorskip("brevitas.nn")

from codesign.nn.quant import WEIGHT_QUANT, ActQuant, DistanceQuant  # noqa: E402
from codesign.nn.ranges import Percentile  # noqa: E402


@pytest.mark.parametrize("bits,limit", [(4, 7), (8, 127)])
def test_weight_codes_are_narrow_and_span_the_range_per_channel(bits: int, limit: int) -> None:
    torch.manual_seed(0)
    conv = qnn.QuantConv2d(6, 5, 3, bias=False, weight_quant=WEIGHT_QUANT[bits])
    codes = conv.quant_weight().int()
    assert codes.abs().amax((1, 2, 3)).tolist() == [limit] * 5
    assert conv.quant_weight().scale.numel() == 5


@pytest.mark.parametrize("unsigned", [True, False])
def test_training_path_equals_brevitas(unsigned: bool) -> None:
    torch.manual_seed(1)
    quant = ActQuant(unsigned)
    quant.enabled = True
    quant.threshold.data.fill_(1.7)
    x = (torch.randn(2, 3, 8, 8) * 1.5).requires_grad_()
    weight = torch.randn(2, 3, 8, 8)
    results = []
    for forward in (quant.quant, quant.train().forward):
        x.grad = quant.threshold.grad = None
        y = forward(x)
        (y * weight).sum().backward()
        results.append((y.detach(), x.grad.clone(), quant.threshold.grad.clone()))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(quant.eval()(x), results[0][0], atol=0, rtol=0)


@pytest.mark.parametrize("unsigned,lo,hi", [(True, 0, 255), (False, -128, 127)])
def test_activation_codes_and_ties(unsigned: bool, lo: int, hi: int) -> None:
    quant = ActQuant(unsigned).eval()
    quant.enabled = True
    quant.threshold.data.fill_(255.0 if unsigned else 128.0)  # scale 1: reals are codes
    x = torch.tensor([-1e4, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e4])
    assert quant(x).tolist() == x.round().clamp(lo, hi).tolist()
    spec = quant.spec()
    assert (spec.scale, spec.zero_point) == (1.0, -128 if unsigned else 0)


def test_distances_round_half_to_even_and_clamp_with_gradient_inside() -> None:
    quant = DistanceQuant(0, 7, True)
    x = torch.tensor([-3.0, 0.5, 1.5, 2.5, 6.6, 9.0], requires_grad=True)
    y = quant(x)
    y.sum().backward()
    assert y.tolist() == [0, 0, 2, 2, 7, 7]
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]


def test_calibration_covers_every_tensor_that_shares_the_quantiser() -> None:
    quant = ActQuant(True)
    quant.observer = Percentile()
    quant(torch.full((64,), 2.0))
    quant(torch.full((64,), 5.0))
    quant.calibrate()
    assert quant.threshold.item() == 5.0
