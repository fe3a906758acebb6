# SPDX-License-Identifier: Apache-2.0
"""Tokens follow from the addresses: readers wait for writers, writers for readers, independent work for nothing."""

from codesign.plan.tokens import Access, TokenTracker

LOAD, STORE, POINTWISE = 0, 1, 2


def spad(start: int, stop: int, write: bool) -> Access:
    return Access("spad", start, stop, write)


def test_a_reader_waits_for_the_last_writer_of_its_words_only() -> None:
    tracker = TokenTracker(3, 100)
    tracker.waits(LOAD, [spad(0, 10, True)])
    tracker.waits(LOAD, [spad(10, 20, True)])
    assert tracker.waits(POINTWISE, [spad(0, 10, False), spad(50, 60, True)]) == [1, 0, 0]
    assert tracker.waits(POINTWISE, [spad(5, 15, False), spad(60, 70, True)]) == [2, 0, 0]


def test_a_writer_waits_for_earlier_readers_of_its_words() -> None:
    tracker = TokenTracker(3, 100)
    tracker.waits(POINTWISE, [spad(0, 10, False), spad(20, 30, True)])
    tracker.waits(STORE, [spad(20, 30, False)])
    assert tracker.waits(LOAD, [spad(9, 12, True)]) == [0, 0, 1]
    assert tracker.waits(POINTWISE, [spad(40, 41, False), spad(25, 26, True)]) == [0, 1, 0]


def test_an_engine_waits_for_itself_only_to_read_what_it_wrote() -> None:
    tracker = TokenTracker(3, 100)
    tracker.waits(POINTWISE, [spad(0, 10, True)])
    assert tracker.waits(POINTWISE, [spad(0, 10, True)]) == [0, 0, 0]
    assert tracker.waits(POINTWISE, [spad(0, 10, False)]) == [0, 0, 2]


def test_a_store_and_a_later_load_of_the_same_dram_are_ordered() -> None:
    tracker = TokenTracker(3, 100)
    tracker.waits(STORE, [spad(0, 4, False), Access("dram", 4000, 4004, True)])
    assert tracker.waits(LOAD, [Access("dram", 4003, 4005, False), spad(50, 52, True)]) == [0, 1, 0]
