# SPDX-License-Identifier: Apache-2.0
"""The numeric contract against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codesign import numeric
from codesign.errors import UserError

shifts = st.integers(numeric.SHIFT_MIN, numeric.SHIFT_MAX)
multipliers = st.one_of(st.integers(0, numeric.MULTIPLIER_MAX), st.sampled_from([0, 1, 2**15, 2**16 - 1]))
accs = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([-(2**31), 2**31 - 1, -(2**23), 0]))
constants = st.one_of(st.integers(-(2**47), 2**47 - 1), st.sampled_from([-(2**47), 2**47 - 1, 0]))
codes = st.integers(-128, 127)


def exact(acc: int, m: int, b: int, s: int, z: int, lo: int, hi: int) -> int:
    """The contract in rationals: Python's round of a Fraction is half to even."""
    return max(lo, min(hi, round(Fraction(acc * m + b, 2**s)) + z))


@given(accs, multipliers, constants, shifts, codes, codes, codes)
@example(2**31 - 1, 2**16 - 1, 2**47 - 1, 31, 0, -128, 127)
@example(-(2**31), 2**16 - 1, -(2**47), 8, 0, -128, 127)
@example(1, 2**15, 0, 16, 0, -128, 127)
@example(3, 2**15, 0, 16, 0, -128, 127)
@example(-1, 2**15, 0, 16, 0, -128, 127)
def test_requantise_equals_rational_arithmetic(acc, m, b, s, z, lo, hi):
    lo, hi = min(lo, hi), max(lo, hi)
    for dtype in (np.int64, np.float64):
        got = numeric.requantise(np.array([[acc]], dtype=dtype), m, b, s, z, lo, hi)
        assert int(got[0, 0]) == exact(acc, m, b, s, z, lo, hi)


@given(st.integers(-300, 300), shifts, st.sampled_from([-1, 0, 1]), multipliers)
def test_requantise_ties_and_their_neighbours(halves, s, nudge, m):
    acc = 1 if m else 0
    b = halves * 2 ** (s - 1) + nudge - acc * m
    assert int(numeric.requantise(np.array([acc]), m, b, s, 0)[0]) == exact(acc, m, b, s, 0, -128, 127)


@given(st.integers(-(2**62), 2**62 - 1), st.integers(1, 61))
def test_rne_equals_rational_rounding(value, shift):
    assert int(numeric.rne(value, shift)) == round(Fraction(value, 2**shift))


def test_requantise_is_per_channel_over_many_blocks():
    rng = np.random.default_rng(0)
    acc = rng.integers(-(2**23), 2**23, (37, 50, 61))
    m = rng.integers(2**15, 2**16, 37)
    s = rng.integers(20, 32, 37)
    b = rng.integers(-(2**30), 2**30, 37)
    got = numeric.requantise(acc.astype(np.float32), m, b, s, 5, -100, 90)
    scaled = numeric.rne(acc * m[:, None, None] + b[:, None, None], s[:, None, None])
    assert np.array_equal(got, np.clip(scaled + 5, -100, 90))


def test_split8_covers_every_code():
    w = np.arange(-128, 128)
    high, low = numeric.split8(w)
    assert np.array_equal(16 * high.astype(int) + low, w)
    assert (low.min(), low.max(), high.min(), high.max()) == (-8, 7, -8, 8)


@given(st.floats(1e-12, 255.9))
@example(255.996)
@example(2.0**-16)
@example(2.0**-17)
def test_normalised_multiplier_is_nearest(real):
    m, s = numeric.normalise_multiplier(real)
    assert 0 <= m <= 2**16 - 1 and 8 <= s <= 31
    assert m >= 2**15 or s == 31
    assert abs(Fraction(real) - Fraction(m, 2**s)) <= Fraction(1, 2 ** (s + 1))


@pytest.mark.parametrize("real", [256.0, 65535.0, float("inf"), float("nan"), -1.0])
def test_multiplier_that_does_not_fit_is_refused_by_name(real):
    with pytest.raises(UserError, match=r"layer 'last' channel 3"):
        numeric.normalise_multiplier(real, "last", 3)


@given(st.data())
def test_requant_parameters_carry_zero_point_and_bias(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weight = rng.integers(-8, 8, (4, 6)).astype(np.int8)
    weight[0] = 0
    s_w, bias = rng.uniform(1e-3, 1e-1, 4), rng.normal(0, 2, 4)
    z_in, q = int(rng.integers(-128, 128)), rng.integers(-128, 128, 6)
    m, s, b = numeric.requant_parameters(weight, 0.02, s_w, 0.05, z_in, bias, "conv")
    assert (m[0], s[0]) == (0, 31)
    for c in range(4):
        acc = int(weight[c].astype(int) @ q)
        value = Fraction(acc * int(m[c]) + int(b[c]), 2 ** int(s[c]))
        real = (acc - z_in * int(weight[c].astype(int).sum())) * 0.02 * s_w[c] + bias[c]
        # The error is the rounding of M, relative to the output, and half a unit of B; float64 adds next to nothing.
        assert abs(float(value) - real / 0.05) <= abs(real / 0.05) * 2.0**-16 + 2.0 ** -int(s[c]) + 1e-9


def test_bias_beyond_48_bits_is_refused():
    weight = np.array([[1, 1]], dtype=np.int8)
    with pytest.raises(UserError, match=r"'head' channel 0.*48 bits.*output scale"):
        numeric.requant_parameters(weight, 1e-6, 1e-3, 1e-2, 0, np.array([1e6]), "head")


def test_accumulator_proof_names_channel_and_width():
    weight = np.ones((3, 1000, 1, 1), dtype=np.int8)
    weight[1] = 127
    least, greatest = numeric.accumulator_bounds(weight)
    assert (least[1], greatest[1]) == (-127 * 128_000, 127 * 127_000)
    numeric.prove_accumulator("fc", least, greatest, 25)
    with pytest.raises(UserError, match=r"'fc' channel 1.*more than 24 bits.*25 bits would do"):
        numeric.prove_accumulator("fc", least, greatest, 24)


@given(st.integers(-(2**31), 2**31 - 1))
def test_accumulator_proof_is_tight(value):
    bits = max(24, (value if value >= 0 else -value - 1).bit_length() + 1)
    ends = np.array([min(value, 0)]), np.array([max(value, 0)])
    numeric.prove_accumulator("l", *ends, bits)
    if bits > 24:
        with pytest.raises(UserError, match=f"{bits} bits would do"):
            numeric.prove_accumulator("l", *ends, bits - 1)


def test_scaled_proof_refuses_2_to_the_47():
    one = np.array([1])
    numeric.prove_scaled("l", -one, one, one, np.array([2**47 - 2]))
    with pytest.raises(UserError, match=r"'l' channel 0"):
        numeric.prove_scaled("l", -one, one, one, np.array([2**47 - 1]))


@given(codes, codes, codes, codes, multipliers, multipliers, shifts, codes)
def test_add_equals_rational_arithmetic(a, b, za, zb, ma, mb, s, z):
    got = numeric.add_codes(np.array([a], np.int8), np.array([b], np.int8), (za, zb), (ma, mb), s, z)
    want = round(Fraction((a - za) * ma + (b - zb) * mb, 2**s)) + z
    assert int(got[0]) == max(-128, min(127, want))


def test_image_codes_subtract_128_and_refuse_other_layouts():
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(numeric.image_codes(image), (image.astype(int) - 128).transpose(2, 0, 1))
    with pytest.raises(UserError, match="want uint8"):
        numeric.image_codes(image[..., :2])
