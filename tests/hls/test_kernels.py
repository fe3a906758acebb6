# SPDX-License-Identifier: Apache-2.0
"""Every kernel of the extension against golden: random shapes, strides, ranges, bit widths, uneven channels, d = N."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

pytest.importorskip("hls4ml")

from tests.hls.cases import Trial, trial
from tests.hls.kernels import build, run

SEEDS = st.integers(0, 2**32 - 1)
SIDES, CHANNELS, BITS = st.integers(1, 9), st.integers(1, 6), st.sampled_from((4, 8))
#: An example is a library of sixteen layers, since a compilation costs more than many of them.
QUICK = settings(max_examples=1, deadline=None, derandomize=True, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))


def check(trials: Sequence[Trial]) -> None:
    library = build([each.case for each in trials])
    for number, each in enumerate(trials):
        got, want = run(library, number, each.case, each.inputs, each.arrays), each.golden()
        assert np.array_equal(got, want), f"{each.case}: {np.argwhere(got != want)[:3].tolist()} of {each.node}"


def several(strategy: st.SearchStrategy[Trial]) -> st.SearchStrategy[list[Trial]]:
    return st.lists(strategy, min_size=16, max_size=16)


@st.composite
def windows(draw: st.DrawFn, kind: str) -> Trial:
    """Any kernel up to 5x5, stride and pad that fit the image."""
    kernel = draw(st.integers(1, 5))
    pad = draw(st.integers(0, kernel - 1))
    least = max(1, kernel - 2 * pad)
    sides = st.integers(least, least + 7)
    least = 2 if kind == "depthwise" else 1  # one channel is a full convolution
    shape = (draw(st.integers(least, 6)), draw(sides), draw(sides))
    return trial(kind, shape, draw(SEEDS), kernel=kernel, pad=pad, stride=draw(st.integers(1, 4)), bits=draw(BITS),
                 filters=draw(CHANNELS))  # fmt: skip


@st.composite
def deformables(draw: st.DrawFn, kind: str) -> Trial:
    """Ranges 0..9 on images smaller and larger than the ring; half of them with every tap at its bound."""
    shape = (draw(CHANNELS), draw(st.integers(1, 24)), draw(st.integers(1, 12)))
    return trial(kind, shape, draw(SEEDS), bound=draw(st.integers(0, 9)), bits=draw(BITS), at_bound=draw(st.booleans()),
                 kernel=draw(st.sampled_from((1, 3, 3, 3, 5))))  # fmt: skip


@st.composite
def plain(draw: st.DrawFn, kind: str) -> Trial:
    groups = draw(st.integers(1, 4))
    shape = (draw(CHANNELS) * groups, draw(SIDES), draw(SIDES))
    return trial(kind, shape, draw(SEEDS), bits=draw(BITS), filters=draw(CHANNELS), groups=groups)


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
@QUICK
@given(data=st.data())
def test_convolutions(kind: str, data: st.DataObject) -> None:
    check(data.draw(several(windows(kind))))


@pytest.mark.parametrize("kind", ["square", "pairs"])
@QUICK
@given(data=st.data())
def test_deformable(kind: str, data: st.DataObject) -> None:
    check(data.draw(several(deformables(kind))))


@QUICK
@given(several(windows("max_pool")))
def test_max_pool(trials: list[Trial]) -> None:
    check(trials)


@pytest.mark.parametrize("kind", ["pointwise", "slice", "shuffle", "upsample"])
@QUICK
@given(data=st.data())
def test_plain_layers(kind: str, data: st.DataObject) -> None:
    check(data.draw(several(plain(kind))))


@pytest.mark.slow
@settings(QUICK, max_examples=6, derandomize=False)
@given(data=st.data())
def test_more_of_every_kind(data: st.DataObject) -> None:
    kinds = [windows("conv"), windows("depthwise"), windows("max_pool"), deformables("square"), deformables("pairs")]
    check(data.draw(several(st.one_of(*kinds, *map(plain, ("pointwise", "slice", "shuffle", "upsample"))))))
