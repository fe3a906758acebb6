# SPDX-License-Identifier: Apache-2.0
"""The quantised stage follows the float network's heads, beside the annotations or instead of them."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")

from codesign.nn.codenet import CoDeNet, clone  # noqa: E402
from codesign.train.recipe import Recipe  # noqa: E402
from codesign.train.step import train_step  # noqa: E402
from tests.nn.small import small_config  # noqa: E402


def batch(cells: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Two pictures with one object each, at the first cell."""
    heatmap = torch.zeros(2, 3, *cells)
    heatmap[:, 0, 0, 0] = 1
    one = torch.ones(2, 1, 2)
    return {"image": torch.rand(2, 3, 4 * cells[0], 4 * cells[1]) - 0.5, "heatmap": heatmap, "index": torch.zeros(2, 1, dtype=torch.int64),
            "mask": torch.ones(2, 1, dtype=torch.bool), "size": 3 * one, "offset": 0.5 * one}  # fmt: skip


@pytest.mark.parametrize(("annotations", "least", "most"), [(0.0, 0.0, 1e-6), (1.0, 0.1, 1e3)])
def test_without_annotations_a_network_equal_to_its_teacher_has_nothing_to_learn(annotations: float, least: float, most: float) -> None:
    torch.manual_seed(0)
    model = CoDeNet(small_config(input_size=(64, 64))).eval()
    teacher = clone(model).eval().requires_grad_(False)
    recipe = Recipe(distil=1.0, annotations=annotations)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.0)
    assert least <= train_step(model, batch((16, 16)), optimiser, recipe, True, teacher) <= most
