# SPDX-License-Identifier: Apache-2.0
"""The numeric contract: the one definition of the arithmetic, read by golden, RTL, hls4ml and lowering.

Activations are int8 codes q, real value ``scale * (q - zero_point)``. A layer's accumulator is the exact integer
``acc = sum(w * q)``; its output code is

    y = clamp(rne((acc * M + B) / 2**S) + zero_point, lo, hi)

with rne = round half to even (torch.round, ONNX QuantizeLinear). docs/numeric-contract.md explains every choice.
Widths are constants here, so that hardware builders import them and state nothing twice.
"""

from __future__ import annotations

import math

import numpy as np

from codesign.errors import UserError

ACT_BITS = 8
CODE_MIN, CODE_MAX = -128, 127
WEIGHT_BITS = (4, 8)
WEIGHT_MIN = {4: -8, 8: -128}
WEIGHT_MAX = {4: 7, 8: 127}
OPERAND_BITS = 5  # one weight operand of the array: -8..8
ACC_BITS = 24  # the default; a configuration field up to ACC_BITS_MAX
ACC_BITS_MAX = 32
MULTIPLIER_BITS = 16
MULTIPLIER_MAX = 2**MULTIPLIER_BITS - 1
MULTIPLIER_NORMAL = 2 ** (MULTIPLIER_BITS - 1)  # the smallest M unless S == SHIFT_MAX
SHIFT_MIN, SHIFT_MAX = 8, 31
SHIFT_BITS = 5
BIAS_BITS = 48
SCALED_LIMIT = 2**47  # |acc * M + B| stays below
OFFSET_BOUND = 7
IMAGE_SCALE, IMAGE_ZERO_POINT = 1.0 / 128.0, 0

_BLOCK = 1 << 15  # values per block in requantise: three float64 blocks stay in a level-2 cache


def rne(value: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """``value / 2**shift`` rounded half to even, in int64. ``shift`` in 1..62; broadcasts."""
    value = np.asarray(value, dtype=np.int64)
    shift = np.asarray(shift, dtype=np.int64)
    quotient = value >> shift
    rest = value - (quotient << shift)
    half = np.int64(1) << (shift - 1)
    return quotient + ((rest > half) | ((rest == half) & ((quotient & 1) == 1)))


def requantise(
    acc: np.ndarray,
    multiplier: np.ndarray | int,
    bias: np.ndarray | int,
    shift: np.ndarray | int,
    zero_point: int,
    lo: int = CODE_MIN,
    hi: int = CODE_MAX,
) -> np.ndarray:
    """Output codes int8, of ``acc``'s shape; ``multiplier``, ``bias`` and ``shift`` are scalars or (C,).

    ``acc`` (C, ...) holds integers of at most 32 bits in an integer or float dtype. Computed in float64, and exact:
    acc * M has at most 48 significant bits, B at most 48, so acc * (M / 2**S) + B / 2**S is a multiple of 2**-S
    below 2**(48 - S) in magnitude, which float64's 53 bits hold; scaling by a power of two is exact, and rint
    rounds half to even. `tests/test_numeric.py` compares it with rational arithmetic.
    """
    acc = np.asarray(acc)
    rows = acc.reshape(acc.shape[0], -1) if acc.ndim else acc.reshape(1, 1)
    scale = np.ldexp(1.0, -np.asarray(shift, dtype=np.int64))
    gain = np.broadcast_to(np.asarray(multiplier, dtype=np.float64) * scale, rows.shape[:1])[:, None]
    offset = np.broadcast_to(np.asarray(bias, dtype=np.float64) * scale, rows.shape[:1])[:, None]
    out = np.empty(rows.shape, dtype=np.int8)
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for first in range(0, rows.shape[0], step):
        part = slice(first, first + step)
        value = rows[part] * gain[part]
        value += offset[part]
        np.rint(value, out=value)
        value += zero_point
        np.clip(value, lo, hi, out=value)
        out[part] = value
    return out.reshape(acc.shape)


def add_codes(
    a: np.ndarray,
    b: np.ndarray,
    zero_points: tuple[int, int],
    multipliers: tuple[int, int],
    shift: int,
    zero_point: int,
    lo: int = CODE_MIN,
    hi: int = CODE_MAX,
) -> np.ndarray:
    """The Add operator on int8 codes of one shape: two multipliers, one shared shift; int8 codes out."""
    left = (a.astype(np.int64) - zero_points[0]) * int(multipliers[0])
    right = (b.astype(np.int64) - zero_points[1]) * int(multipliers[1])
    return np.clip(rne(left + right, shift) + zero_point, lo, hi).astype(np.int8)


def split8(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(high, low) int8 with ``weight == 16 * high + low``, low in -8..7, high in -8..8: two passes of 4 bits."""
    wide = np.asarray(weight, dtype=np.int16)
    low = ((wide + 8) & 15) - 8
    return ((wide - low) >> 4).astype(np.int8), low.astype(np.int8)


def normalise_multiplier(real: float, layer: str = "", channel: int = 0) -> tuple[int, int]:
    """(M, S) with M / 2**S nearest to ``real``: M in 2**15..2**16-1, smaller (0 included) only at S = 31.

    Raises UserError for a negative, infinite or NaN value and for one of 256 or more, which S = 8 cannot hold.
    """
    where = f"layer {layer!r} channel {channel}: " if layer else ""
    if not math.isfinite(real) or real < 0:
        raise UserError(f"{where}multiplier {real} is not a non-negative number; check the layer's scales")
    if real == 0:
        return 0, SHIFT_MAX
    _, exponent = math.frexp(real)  # real = fraction * 2**exponent, fraction in [0.5, 1)
    shift = min(SHIFT_MAX, MULTIPLIER_BITS - exponent)
    multiplier = round(math.ldexp(real, shift))  # Python rounds half to even
    if multiplier > MULTIPLIER_MAX:
        multiplier, shift = MULTIPLIER_NORMAL, shift - 1
    if shift < SHIFT_MIN:
        raise UserError(
            f"{where}multiplier {real:g} needs a shift of {shift}, the least is {SHIFT_MIN}; "
            "enlarge the output scale or shrink the weight scale"
        )
    return multiplier, shift


def add_parameters(scale_a: float, scale_b: float, scale_out: float, layer: str) -> tuple[tuple[int, int], int]:
    """((M_a, M_b), S) of an addition: the larger multiplier normalised, the other on its shift."""
    larger, shift = normalise_multiplier(max(scale_a, scale_b) / scale_out, layer)
    smaller = round(math.ldexp(min(scale_a, scale_b) / scale_out, shift))
    return ((larger, smaller) if scale_a >= scale_b else (smaller, larger)), shift


def requant_parameters(
    weight: np.ndarray,
    scale_in: float,
    scale_weight: np.ndarray | float,
    scale_out: float,
    zero_in: int,
    bias: np.ndarray | None = None,
    layer: str = "",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(M, S, B), int64 (Cout,) each, for weight codes (Cout, ...), per-channel scales and a real bias (Cout,).

    B = rne(bias / (scale_in * scale_weight) * M) - zero_in * sum(w) * M: the bias on the accumulator's grid, times
    the rounded M. Rounding M then scales the whole real output, so a bias that nearly cancels a large sum leaves
    no error near zero. Where M has fewer than 16 bits (S = 31), an all-zero channel (M = 0) included, the bias is
    rne(bias / scale_out * 2**S) instead. Raises UserError with layer, channel, value and remedy where a field
    cannot hold the value.
    """
    count = weight.shape[0]
    sums = weight.reshape(count, -1).astype(np.int64).sum(axis=1)
    alive = np.any(weight.reshape(count, -1) != 0, axis=1)
    real = np.broadcast_to(scale_in * np.asarray(scale_weight, dtype=np.float64) / scale_out, (count,))
    offsets = np.zeros(count) if bias is None else np.asarray(bias, dtype=np.float64) / scale_out
    multiplier, shift, constant = (np.zeros(count, dtype=np.int64) for _ in range(3))
    for c in range(count):
        m, s = normalise_multiplier(float(real[c]) if alive[c] else 0.0, layer, c)
        if not math.isfinite(offsets[c]):
            raise UserError(f"layer {layer!r} channel {c}: bias {offsets[c]} is not finite; retrain the layer")
        gain = m / real[c] if m >= MULTIPLIER_NORMAL else math.ldexp(1.0, s)  # output codes to B's grid
        b = round(float(offsets[c]) * gain) - zero_in * int(sums[c]) * m
        if not -(2 ** (BIAS_BITS - 1)) <= b < 2 ** (BIAS_BITS - 1):
            raise UserError(
                f"layer {layer!r} channel {c}: bias of {offsets[c]:g} output codes needs B = {b}, more than "
                f"{BIAS_BITS} bits; enlarge the output scale or clip the bias in training"
            )
        multiplier[c], shift[c], constant[c] = m, s, b
    return multiplier, shift, constant


def accumulator_bounds(
    weight: np.ndarray, lo: int = CODE_MIN, hi: int = CODE_MAX
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest accumulator per channel, int64 (Cout,), over every input with codes in lo..hi."""
    flat = weight.reshape(weight.shape[0], -1).astype(np.int64)
    return np.minimum(flat * lo, flat * hi).sum(axis=1), np.maximum(flat * lo, flat * hi).sum(axis=1)


def prove_accumulator(layer: str, least: np.ndarray, greatest: np.ndarray, acc_bits: int = ACC_BITS) -> None:
    """Raise UserError unless every channel's final sum fits ``acc_bits`` signed bits."""
    limit = 2 ** (acc_bits - 1)
    worst = np.maximum(greatest + 1, -least)
    channel = int(np.argmax(worst))
    if worst[channel] > limit:
        needed = int(worst[channel] - 1).bit_length() + 1
        remedy = (
            f"an accumulator of {needed} bits would do (board setting acc_bits={needed})" if needed <= ACC_BITS_MAX else "shrink the weights"
        )
        raise UserError(
            f"layer {layer!r} channel {channel}: accumulator reaches "
            f"{least[channel]}..{greatest[channel]}, more than {acc_bits} bits; {remedy}"
        )


def prove_scaled(
    layer: str, least: np.ndarray, greatest: np.ndarray, multiplier: np.ndarray, bias: np.ndarray
) -> None:
    """Raise UserError unless |acc * M + B| < 2**47 for both ends of every channel's accumulator."""
    ends = np.maximum(np.abs(least * multiplier + bias), np.abs(greatest * multiplier + bias))
    channel = int(np.argmax(ends))
    if ends[channel] >= SCALED_LIMIT:
        raise UserError(
            f"layer {layer!r} channel {channel}: |acc*M + B| reaches {ends[channel]}, the limit is 2**47; "
            "enlarge the output scale or shrink the bias"
        )


def image_codes(image: np.ndarray) -> np.ndarray:
    """Codes int8 (3, H, W) of an RGB image uint8 (H, W, 3): pixel - 128."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"image of shape {image.shape} and type {image.dtype}; want uint8 (H, W, 3)")
    return np.ascontiguousarray((image ^ 0x80).view(np.int8).transpose(2, 0, 1))
