# SPDX-License-Identifier: Apache-2.0
"""The numeric contract at its edges: widths, bounds, ties, and shapes that are easily got wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign import numeric
from codesign.errors import UserError


def test_widths_are_those_of_the_contract():
    assert (numeric.ACT_BITS, numeric.CODE_MIN, numeric.CODE_MAX) == (8, -128, 127)
    assert (numeric.WEIGHT_BITS, numeric.WEIGHT_MIN, numeric.WEIGHT_MAX) == ((4, 8), {4: -8, 8: -128}, {4: 7, 8: 127})
    assert (numeric.OPERAND_BITS, numeric.ACC_BITS, numeric.ACC_BITS_MAX) == (5, 24, 32)
    assert (numeric.MULTIPLIER_BITS, numeric.MULTIPLIER_NORMAL, numeric.MULTIPLIER_MAX) == (16, 32768, 65535)
    assert (numeric.SHIFT_MIN, numeric.SHIFT_MAX, numeric.SHIFT_BITS) == (8, 31, 5)
    assert (numeric.BIAS_BITS, numeric.SCALED_LIMIT, numeric.OFFSET_BOUND) == (48, 1 << 47, 7)
    assert (numeric.IMAGE_SCALE, numeric.IMAGE_ZERO_POINT) == (0.0078125, 0)


@pytest.mark.parametrize("shape", [(), (1,), (3, 0), (1, 40000), (70000, 1), (70000,), (3, 20000), (2, 2, 2, 2)])
def test_requantise_takes_any_shape(shape):
    acc = np.arange(int(np.prod(shape))).reshape(shape) % 251 - 125
    got = numeric.requantise(acc, 2**15, 2**14, 15, 3, -100, 110)
    assert got.dtype == np.int8 and got.shape == shape
    assert np.array_equal(got, np.clip(acc + ((acc & 1) != 0) + 3, -100, 110))  # acc + 1/2, half to even


def test_defaults_clamp_to_int8():
    assert numeric.requantise(np.array([-1000, 1000]), 2**15, 0, 15, 0).tolist() == [-128, 127]
    big = np.array([127], np.int8)
    got = numeric.add_codes(big, big, (0, -128), (2**15, 2**15), 15, 0), numeric.add_codes(-big, -big, (127, 127), (2**15, 2**15), 15, 0)
    assert [int(g[0]) for g in got] == [127, -128] and got[0].dtype == got[1].dtype == np.int8
    assert int(numeric.add_codes(big, big, (0, 0), (2**15, 2**15), 15, 0, -5, 60)[0]) == 60
    assert int(numeric.add_codes(-big, -big, (0, 0), (2**15, 2**15), 15, 0, -5, 60)[0]) == -5


def test_split8_gives_int8():
    assert [part.dtype for part in numeric.split8(np.array([-128, 127], np.int8))] == [np.int8, np.int8]


@pytest.mark.parametrize(
    ("real", "want"),
    [
        (1 - 2.0**-20, (2**15, 15)),  # rounds up to the next power of two
        (1.0, (2**15, 15)),
        (2.0**-16 - 2.0**-40, (2**15, 31)),
        (2.0**-17, (2**14, 31)),
        (2.5 * 2.0**-31, (2, 31)),  # half to even
        (3.5 * 2.0**-31, (4, 31)),
        (0.0, (0, 31)),
        (255.99, (65533, 8)),
    ],
)
def test_multiplier_and_shift(real, want):
    assert numeric.normalise_multiplier(real) == want


def test_multiplier_that_rounds_up_to_256_is_refused():
    with pytest.raises(UserError, match="layer 'l' channel 0: .*needs a shift of 7, the least is 8"):
        numeric.normalise_multiplier(255.9999, "l")


@pytest.mark.parametrize(
    ("scales", "want"),
    [
        ((0.75, 0.3, 1.5), ((2**15, 13107), 16)),
        ((0.3, 0.75, 1.5), ((13107, 2**15), 16)),
        ((0.5, 0.100004, 0.5), ((2**15, 6554), 15)),  # 6553.86
        ((0.5, 0.5, 0.5), ((2**15, 2**15), 15)),
    ],
)
def test_addition_normalises_the_larger_scale(scales, want):
    assert numeric.add_parameters(*scales, "add") == want


def _one(real: float, bias: float | None, weight: int = 1, zero_in: int = 0) -> tuple[int, int, int]:
    """(M, S, B) of one channel of one weight at an output scale of 1."""
    biases = None if bias is None else np.array([bias])
    found = numeric.requant_parameters(np.array([[weight]], np.int8), 1.0, np.array([real]), 1.0, zero_in, biases, "l")
    assert all(value.dtype == np.int64 for value in found)
    return tuple(int(value[0]) for value in found)


def test_bias_is_rounded_on_the_accumulators_grid():
    assert _one(2.0**-16, 0.1) == (2**15, 31, 214748365)  # 214748364.8
    assert _one(2.0**-16, -0.1) == (2**15, 31, -214748365)
    assert _one(2.0**-10, 0.1) == (2**15, 25, 3355443)  # 3355443.2
    assert _one(32768.3 * 2.0**-20, 1000.0) == (2**15, 20, round(1000 * 2**15 / (32768.3 * 2.0**-20)))
    assert _one(2.0**-20, 1.0) == (2**11, 31, 2**31)  # fewer than 16 bits: the grid of the output
    assert _one(1.0, None, weight=-3, zero_in=5) == (2**15, 15, 15 * 2**15)
    assert _one(40001.499 / 2**16, None)[0] == 40001  # not in single precision
    assert _one(1.0, 0.25, weight=0) == (0, 31, 2**29)


def test_bias_fills_48_bits_and_no_more():
    assert _one(2.0**-16, -(2.0**16)) == (2**15, 31, -(2**47))
    assert _one(2.0**-16, 2.0**16 - 2.0**-31) == (2**15, 31, 2**47 - 1)
    for beyond in (2.0**16, -(2.0**16) - 2.0**-31):
        with pytest.raises(UserError, match="'l' channel 0: bias.*48 bits"):
            _one(2.0**-16, beyond)


@pytest.mark.parametrize("bias", [float("nan"), float("inf"), -float("inf")])
def test_bias_that_is_no_number_is_refused(bias):
    with pytest.raises(UserError, match="'l' channel 0: bias .* is not finite"):
        _one(0.5, bias)


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=5), st.integers(-128, 127), st.integers(-128, 127))
def test_accumulator_bounds_are_those_of_the_worst_input(weights, a, b):
    lo, hi = min(a, b), max(a, b)
    least, greatest = numeric.accumulator_bounds(np.array([weights], np.int8), lo, hi)
    assert int(least[0]) == sum(min(w * lo, w * hi) for w in weights)
    assert int(greatest[0]) == sum(max(w * lo, w * hi) for w in weights)


@pytest.mark.parametrize(
    ("least", "greatest", "needed"),
    [(0, 2**23, 25), (-(2**23) - 1, 0, 25), (0, 2**24, 26), (-(2**24), 0, 25), (0, 2**31 - 1, 32), (-(2**31), 0, 32)],
)
def test_refused_accumulator_names_the_width_that_would_do(least, greatest, needed):
    ends = np.array([0, least]), np.array([5, greatest])
    with pytest.raises(UserError, match=f"channel 1: accumulator reaches {least}..{greatest}, .*of {needed} bits.*acc_bits={needed}"):
        numeric.prove_accumulator("l", *ends)
    numeric.prove_accumulator("l", *ends, needed)


def test_accumulator_that_just_fits_passes_and_one_beyond_32_bits_has_no_width():
    numeric.prove_accumulator("l", np.array([-(2**23)]), np.array([2**23 - 1]))
    with pytest.raises(UserError, match="more than 24 bits; shrink the weights"):
        numeric.prove_accumulator("l", np.array([0]), np.array([2**31]))


def test_scaled_proof_looks_at_both_ends_of_every_channel():
    least, greatest, m = np.array([-1, -4]), np.array([3, 1]), np.array([2, 3])
    limit = 2**47
    numeric.prove_scaled("l", least, greatest, m, np.array([limit - 7, limit - 4]))
    numeric.prove_scaled("l", least, greatest, m, np.array([3 - limit, 13 - limit]))
    for bias, channel in (([limit - 6, 0], 0), ([0, limit - 3], 1), ([2 - limit, 0], 0), ([0, 12 - limit], 1)):
        with pytest.raises(UserError, match=f"'l' channel {channel}: .* reaches {limit}, the limit"):
            numeric.prove_scaled("l", least, greatest, m, np.array(bias))


@pytest.mark.parametrize("shape, kind", [((4, 4), np.uint8), ((4, 4, 4), np.uint8), ((3, 4, 4), np.uint8), ((4, 4, 3), np.int8)])
def test_image_of_another_layout_is_refused(shape, kind):
    with pytest.raises(UserError, match="want uint8"):
        numeric.image_codes(np.zeros(shape, kind))


def test_image_codes_lie_in_one_piece():
    codes = numeric.image_codes(np.zeros((2, 5, 3), np.uint8))
    assert codes.flags.c_contiguous and codes.dtype == np.int8 and codes.shape == (3, 2, 5)
