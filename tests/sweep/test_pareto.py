# SPDX-License-Identifier: Apache-2.0
"""Fronts against the definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.sweep.pareto import costs, front

rows = st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=40)


@given(rows)
@settings(max_examples=150, deadline=None)
def test_front_is_what_no_other_row_beats(values):
    table = np.array(values, float)
    kept = front(table)
    for i, row in enumerate(table):
        beaten = any((other <= row).all() and (other < row).any() for other in table)
        assert kept[i] != beaten


def test_what_is_unknown_is_on_no_front():
    table = costs([{"ap50": None, "latency_ms": 1.0}, {"ap50": 0.5, "latency_ms": 2.0}, {"ap50": 0.7, "latency_ms": 2.0}], ["ap50", "latency_ms"])
    assert front(table).tolist() == [False, False, True]
