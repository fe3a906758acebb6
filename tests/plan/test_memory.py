# SPDX-License-Identifier: Apache-2.0
"""Allocations never overlap, freed room is found again, and a full scratchpad says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.plan.memory import Allocator, NoRoom


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=60))
def test_ranges_never_overlap(requests: list[tuple[int, bool]]) -> None:
    memory, held = Allocator(128), {}
    for size, free_first in requests:
        if free_first and held:
            start = next(iter(held))
            memory.give(start)
            del held[start]
        try:
            start = memory.take(size)
        except NoRoom:
            continue
        assert 0 <= start and start + size <= 128
        assert all(start + size <= s or s + n <= start for s, n in held.items())
        held[start] = size
    assert memory.free_words == 128 - sum(held.values())


def test_a_full_scratchpad_says_so() -> None:
    memory = Allocator(10)
    memory.take(6)
    with pytest.raises(NoRoom):
        memory.take(5)
