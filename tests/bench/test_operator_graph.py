# SPDX-License-Identifier: Apache-2.0
"""The layers that `codesign bench --operators` runs meet every distance, equally often."""

import numpy as np
import pytest

from codesign.bench.operators import operator_graph
from codesign.golden import run


@pytest.mark.parametrize(("form", "values"), [("d = 1", [1]), ("square", range(8)), ("pairs", range(-7, 8))])
def test_offsets_are_uniform_over_their_range(form: str, values: range) -> None:
    shape = (64, 32, 32)
    codes = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    found, counts = np.unique(run(operator_graph(shape, form), codes)["offset"], return_counts=True)
    assert list(found) == list(values)
    assert counts.min() > 0.7 * counts.max()
