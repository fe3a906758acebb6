# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 and SimpleNet with calibrated random weights: no tensor sits at one code; wrong sizes are refused."""

import numpy as np
import pytest

from codesign.errors import UserError
from codesign.golden import image_codes, run, tensor_stats
from codesign.lower.random_net import calibration_image
from codesign.lower.random_zoo import random_network
from codesign.nn.zoo import rounded, zoo_config


@pytest.mark.parametrize("arguments", [
    ("mobilenetv2-0.35", 96, 64), ("mobilenetv2-centernet", 64, 64), ("simplenet", 32, 64), ("mobilenetv2-0.5", 64, 64, 8),
], ids=str)  # fmt: skip
def test_codes_spread(arguments) -> None:
    graph = random_network(*arguments)
    values = run(graph, image_codes(calibration_image(graph)))
    for stats in tensor_stats(graph, values):
        assert stats.values < 64 or stats.top_share <= (0.8 if stats.rectified else 0.6), stats.name


def test_same_arguments_same_network() -> None:
    one, two = (random_network("mobilenetv2-0.35", 32, 32) for _ in range(2))
    for a, b in zip(one.nodes, two.nodes, strict=True):
        assert not hasattr(a, "weight") or np.array_equal(a.weight, b.weight)


def test_letters_are_the_published_configurations() -> None:
    assert random_network("a", 64, 64).meta["config"] == "a"


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UserError, match="multiples of 32"):
        random_network("mobilenetv2", 100, 64)
    with pytest.raises(UserError, match="pick one of mobilenetv2"):
        zoo_config("mobilenetv3")


def test_channels_are_rounded_as_published() -> None:
    assert [rounded(v * 0.35) for v in (16, 24, 32, 64, 96, 160, 320)] == [8, 8, 16, 24, 32, 56, 112]
