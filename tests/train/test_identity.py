# SPDX-License-Identifier: Apache-2.0
"""What differs between two runs, by name."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from codesign.data.augment import Augment
from codesign.nn.config import named_config
from codesign.train.identity import Identity
from codesign.train.recipe import Recipe

CONFIG = named_config("b")


def test_the_first_three_differences_are_named_with_both_values() -> None:
    one = Identity.of(CONFIG, Recipe(), ["a"], ["1", "2"], None)
    two = Identity.of(replace(CONFIG, input_size=(64, 64)), Recipe(seed=2, float_epochs=3), ["a"], ["1"], None)
    assert two.differences(one.values) == (
        "input_size was [256, 256], now [64, 64]; seed was 1, now 2; pictures was 2, now 1; 1 more"
    )
    other = Identity.of(CONFIG, Recipe(augment=Augment(paste=3)), ["a"], ["1", "2"], "0" * 64)
    assert other.differences(one.values) == "augment.paste was 0, now 3; start was 'none', now '000000000000'"
    assert len({one.fingerprint, two.fingerprint, other.fingerprint}) == 3


@pytest.mark.parametrize("said", [None, 5, [], {"seed": "\n" * 1000}, {}])
def test_what_a_foreign_checkpoint_says_stays_one_short_line(said: object) -> None:
    text = Identity.of(CONFIG, Recipe(), ["a"], ["1"], None).differences(said)
    assert "\n" not in text and len(text) < 400
