# SPDX-License-Identifier: Apache-2.0
"""Losses against a direct transcription of CenterNet's formulas."""

import math

import pytest

torch = pytest.importorskip("torch")

from codesign.train.ema import Ema  # noqa: E402
from codesign.train.loss import centre_l1, focal_loss  # noqa: E402


def test_focal_loss_by_hand() -> None:
    logits = torch.tensor([[[[0.5, -1.0, 2.0]]]])
    target = torch.tensor([[[[1.0, 0.4, 0.0]]]])
    total = 0.0
    for x, t in zip([0.5, -1.0, 2.0], [1.0, 0.4, 0.0], strict=True):
        p = 1 / (1 + math.exp(-x))
        total -= (1 - p) ** 2 * math.log(p) if t == 1 else (1 - t) ** 4 * p**2 * math.log(1 - p)
    assert float(focal_loss(logits, target)) == pytest.approx(total, rel=1e-5)


def test_focal_loss_without_objects_is_finite() -> None:
    assert float(focal_loss(torch.full((1, 1, 2, 2), -30.0), torch.zeros(1, 1, 2, 2))) == pytest.approx(0, abs=1e-6)


def test_l1_reads_only_object_cells() -> None:
    head = torch.arange(12.0).view(1, 2, 2, 3)
    index, mask = torch.tensor([[4, 0]]), torch.tensor([[True, False]])
    target = torch.tensor([[[5.0, 8.0], [99.0, 99.0]]])
    assert float(centre_l1(head, index, target, mask)) == pytest.approx(abs(4 - 5) + abs(10 - 8))


def test_ema_follows_and_restores() -> None:
    layer = torch.nn.Linear(2, 1)
    ema = Ema(layer, 0.5)
    start = layer.weight.detach().clone()
    layer.weight.data += 1
    ema.update(layer)
    share = 1 - min(0.5, 2 / 11)
    torch.testing.assert_close(ema.average["weight"], start + share)
    twin = torch.nn.Linear(2, 1)
    ema.copy_to(twin)
    torch.testing.assert_close(twin.weight.data, start + share)
