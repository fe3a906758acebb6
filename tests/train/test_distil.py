# SPDX-License-Identifier: Apache-2.0
"""The quantised stage follows the float network's heads, beside the annotations or instead of them."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("brevitas")

import torch

from codesign.nn.codenet import CoDeNet
from codesign.train.recipe import Recipe
from codesign.train.step import train_step
from tests.nn.small import small_config


def batch(cells: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Two pictures with one object each, at the first cell."""
    heatmap = torch.zeros(2, 3, *cells)
    heatmap[:, 0, 0, 0] = 1
    one = torch.ones(2, 1, 2)
    return {"image": torch.rand(2, 3, 4 * cells[0], 4 * cells[1]) - 0.5, "heatmap": heatmap, "index": torch.zeros(2, 1, dtype=torch.int64),
            "mask": torch.ones(2, 1, dtype=torch.bool), "size": 3 * one, "offset": 0.5 * one}  # fmt: skip


def loss(teacher: CoDeNet, annotations: float) -> float:
    """Of the network that `network` makes, under a teacher."""
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.0)
    torch.manual_seed(0)
    return train_step(model, batch((16, 16)), optimiser, Recipe(distil=1.0, annotations=annotations), True, teacher)


def network() -> CoDeNet:
    torch.manual_seed(0)
    return CoDeNet(small_config(input_size=(64, 64))).eval()


@pytest.mark.parametrize(("annotations", "least", "most"), [(0.0, 0.0, 1e-6), (1.0, 0.1, 1e3)])
def test_without_annotations_a_network_equal_to_its_teacher_has_nothing_to_learn(annotations: float, least: float, most: float) -> None:
    assert least <= loss(network().requires_grad_(False), annotations) <= most


def test_without_annotations_a_teacher_of_wider_boxes_is_followed() -> None:
    teacher = network().requires_grad_(False)
    teacher.wh.last.conv.bias += 2.0  # cells, in both directions
    assert loss(teacher, 0.0) == pytest.approx(Recipe().size_weight * 4.0, rel=0.02)
