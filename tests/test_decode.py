# SPDX-License-Identifier: Apache-2.0
"""Decoding: the contract's peak rule, ties, order, and codes = dequantised floats digit for digit."""

import numpy as np
import pytest

from codesign.decode import best_peaks, decode, decode_codes, dequantise, peaks


def brute_peaks(heatmap: np.ndarray) -> np.ndarray:
    """The contract's sentence, one position at a time."""
    classes, h, w = heatmap.shape
    keep = np.zeros(heatmap.shape, bool)
    for c in range(classes):
        for y in range(h):
            for x in range(w):
                here, ok = heatmap[c, y, x], True
                for v in range(max(0, y - 1), min(h, y + 2)):
                    for u in range(max(0, x - 1), min(w, x + 2)):
                        earlier = v * w + u < y * w + x
                        if (v, u) != (y, x):
                            ok &= here > heatmap[c, v, u] if earlier else here >= heatmap[c, v, u]
                keep[c, y, x] = ok
    return keep


@pytest.mark.parametrize("seed", range(5))
def test_peaks_follow_the_contract(seed: int) -> None:
    heatmap = np.random.default_rng(seed).integers(-3, 3, (2, 7, 9))  # many ties
    np.testing.assert_array_equal(peaks(heatmap), brute_peaks(heatmap))


def test_a_plateau_has_one_peak_the_first() -> None:
    heatmap = np.zeros((1, 4, 4), np.int8)
    heatmap[0, 1:3, 1:3] = 5
    assert np.argwhere(peaks(heatmap)[0] & (heatmap[0] == 5)).tolist() == [[1, 1]]


@pytest.mark.parametrize("seed", range(5))
def test_codes_and_dequantised_floats_give_identical_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = {"hm": rng.integers(-128, 128, (4, 16, 24)).astype(np.int8)}
    codes |= {k: rng.integers(-128, 128, (2, 16, 24)).astype(np.int8) for k in ("wh", "reg")}
    quant = {"hm": (0.071, 0), "wh": (0.23, 0), "reg": (0.0113, 3)}
    a = decode_codes(codes, quant)
    b = decode(*(dequantise(codes[k], *quant[k]) for k in ("hm", "wh", "reg")))
    for left, right in ((a.boxes, b.boxes), (a.scores, b.scores), (a.labels, b.labels)):
        np.testing.assert_array_equal(left, right)
    assert len(a.boxes) == 100 and (np.diff(a.scores) <= 0).all()


def maps(rng: np.random.Generator) -> np.ndarray:
    """Heatmap codes of all kinds: noise, plateaus, two codes only, one code, few high ones among low ones."""
    shape = tuple(int(n) for n in (rng.integers(1, 7), rng.integers(1, 20), rng.integers(1, 20)))
    kind = rng.integers(0, 5)
    if kind == 0:
        return rng.integers(-128, 128, shape).astype(np.int8)
    if kind == 1:
        coarse = rng.integers(-128, 128, shape).astype(np.int8)
        return coarse.repeat(3, axis=1).repeat(2, axis=2)
    if kind == 2:
        return rng.choice(np.array([-128, 127], np.int8), shape)
    if kind == 3:
        return np.full(shape, int(rng.choice([-128, 0, 127])), np.int8)
    return np.where(rng.random(shape) < 0.05, rng.integers(0, 128, shape), -100).astype(np.int8)


@pytest.mark.parametrize("seed", range(60))
def test_integer_decoding_is_float_decoding_digit_for_digit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = {"hm": maps(rng)}
    codes |= {k: rng.integers(-128, 128, (2, *codes["hm"].shape[1:])).astype(np.int8) for k in ("wh", "reg")}
    quant = {k: (float(rng.uniform(0.001, 0.5)), int(rng.integers(-128, 128))) for k in ("hm", "wh", "reg")}
    top = int(rng.choice([0, 1, 5, 100]))
    a = decode_codes(codes, quant, top)
    b = decode(*(dequantise(codes[k], *quant[k]) for k in ("hm", "wh", "reg")), top)
    for name in ("boxes", "scores", "labels"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    assert set(best_peaks(codes["hm"], 10**6).tolist()) == set(np.flatnonzero(peaks(codes["hm"])).tolist())


def test_codes_must_be_int8() -> None:
    with pytest.raises(TypeError, match="must be int8"):
        best_peaks(np.zeros((1, 4, 4), np.int16))


def test_equal_scores_take_lower_class_then_lower_index() -> None:
    hm = np.full((2, 8, 8), -9.0)
    for c, y, x in ((1, 0, 0), (0, 6, 6), (0, 2, 5)):
        hm[c, y, x] = 1.0
    zero = np.zeros((2, 8, 8))
    found = decode(hm, zero, zero, top=3)
    assert found.labels.tolist() == [0, 0, 1]
    assert found.boxes[:, :2].tolist() == [[20, 8], [24, 24], [0, 0]]


def test_box_geometry() -> None:
    hm, wh, reg = np.full((1, 8, 8), -9.0), np.zeros((2, 8, 8)), np.zeros((2, 8, 8))
    hm[0, 3, 5], wh[:, 3, 5], reg[:, 3, 5] = 0.0, (4, 2), (0.25, 0.5)
    found = decode(hm, wh, reg).above(0.4)
    assert found.boxes.tolist() == [[4 * (5.25 - 2), 4 * (3.5 - 1), 4 * (5.25 + 2), 4 * (3.5 + 1)]]
    assert found.scores.tolist() == [0.5]


def test_needs_numpy_only() -> None:
    import subprocess
    import sys

    code = "import sys, codesign.decode; print(sorted(m for m in ('torch', 'brevitas', 'amaranth') if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
