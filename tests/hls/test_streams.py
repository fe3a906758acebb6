# SPDX-License-Identifier: Apache-2.0
"""FIFO depths: enough to finish, none too many, and a fork that joins again gets what its slow path holds back."""

from __future__ import annotations

import pytest

from hw.hls.streams import Process, finishes, latency, least_depths, padded, program

SIZE = {"in_height": 8, "in_width": 6, "n_chan": 4}
WINDOW = {**SIZE, "kernel_height": 3, "kernel_width": 3, "pad": 1}


def diamond() -> list[Process]:
    """One stream forks; one path waits two rows for its window, the other does not; both are concatenated."""
    source = Process("source", (), ("image",), ((True, 0),) * 48)
    clone = Process("clone", ("image",), ("left", "in"), ((False, 0), (True, 0)) * 48)
    window = Process("window", ("in",), ("right",), program("CodesignDepthwise", WINDOW), 5)
    join = Process("join", ("left", "right"), ("out",), program("Concatenate", {"pixels": 48}))
    return [source, clone, window, join]


def test_depths_let_the_network_finish_and_one_word_less_does_not() -> None:
    depths = least_depths(diamond())
    assert depths["left"] > 2 * SIZE["in_width"] - 2 and depths["right"] == 2
    assert finishes(diamond(), depths) and finishes(diamond(), padded(depths))
    assert not finishes(diamond(), {**depths, "left": depths["left"] - 1})


def test_every_word_is_read_and_written_once() -> None:
    for kind, attributes, reads, writes in (
        ("CodesignDepthwise", WINDOW, 48, 48),
        ("CodesignMaxPool", {**WINDOW, "stride": 2}, 48, 12),
        ("CodesignUpsample", SIZE, 48, 192),
        ("CodesignConv", {**SIZE, "n_filt": 9}, 48, 48),
        ("CodesignDeform", {**WINDOW, "pad": 0, "form": "square", "bound": 3}, 96, 48),
    ):
        ops = program(kind, attributes)
        assert (sum(not w for w, _ in ops), sum(w for w, _ in ops)) == (reads, writes), kind


def test_a_word_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(ValueError, match="nobody writes"):
        least_depths([Process("a", ("x",), ("y",), ((False, 0), (True, 0)) * 3), Process("b", ("y",), ("x",), ((False, 0), (True, 0)) * 3)])


def test_latency_grows_with_the_slowest_process() -> None:
    slow = [Process("window", p.reads, p.writes, p.program, 50) if p.name == "window" else p for p in diamond()]
    assert latency(slow) > latency(diamond()) > 48
