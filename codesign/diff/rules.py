# SPDX-License-Identifier: Apache-2.0
"""Which rule differs: each way in which an implementation may leave the contract, tried on values that differ and values
that agree. The one that gives every differing value and spoils no other is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from codesign.diff import affine as forms
from codesign.diff.affine import Affine
from codesign.diff.operands import Operands, moved

SAMPLES = 512  # differing values looked at, and as many that agree
NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1))  # rows, columns
Guess = tuple[str, np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """What differs, in words; it gives ``explained`` of ``differing`` values and changes ``spoiled`` of ``agreeing`` ones."""

    rule: str
    explained: int
    differing: int
    spoiled: int
    agreeing: int

    @property
    def certain(self) -> bool:
        """Every differing value explained, none of the others changed."""
        return self.explained == self.differing and not self.spoiled

    def __str__(self) -> str:
        spoiled = f", but would change {self.spoiled} of {self.agreeing} that agree" if self.spoiled else ""
        return f"{self.rule}: explains {self.explained} of {self.differing} differing values looked at{spoiled}"


def explain(guesses: Iterator[Guess], got: np.ndarray, bad: np.ndarray) -> Explanation | None:
    """The guess that fits best, or None when none explains most of what differs. ``got`` (n,), ``bad`` (n,) bool."""
    best: Explanation | None = None
    for rule, predicted in guesses:
        right = predicted == got
        tried = Explanation(rule, int((right & bad).sum()), int(bad.sum()), int((~right & ~bad).sum()), int((~bad).sum()))
        if 2 * tried.explained > tried.differing and (best is None or _merit(tried) > _merit(best)):
            best = tried
    return best


def _merit(tried: Explanation) -> float:
    """Shares, so that few differences among many values count as much."""
    return tried.explained / max(1, tried.differing) - tried.spoiled / max(1, tried.agreeing)


def last_steps(last: Affine, acc: np.ndarray) -> Iterator[Guess]:
    """Rounding, clamp and constants of requantisation."""
    for name, rounding in (("half up", forms.half_up), ("half away from zero", forms.half_away),
                           ("cut off (floor)", forms.floor), ("towards zero", forms.to_zero)):  # fmt: skip
        yield f"rounding {name} instead of half to even", replace(last, rounding=rounding).codes(acc)
    yield "no clamp: the code wraps to 8 bits", _wrapped(last.rounded(acc), 8)
    yield f"clamp -128..127 instead of {last.lo}..{last.hi} (ReLU left out)", replace(last, lo=-128, hi=127).codes(acc)
    yield "zero point left out of the sum", replace(last, zero_point=0).codes(acc)
    yield "bias left out", replace(last, bias=0).codes(acc)
    for bits in (16, 18, 20, 22, 24):
        yield f"accumulator wraps to {bits} bits", last.codes(_wrapped(acc, bits))
    for shift in (last.shift - 1, last.shift + 1):
        if 1 <= shift <= 62:
            yield f"shift {shift} instead of {last.shift}", replace(last, shift=shift).codes(acc)
    yield from _flipped(last, acc)


def _flipped(last: Affine, acc: np.ndarray) -> Iterator[Guess]:
    """One bit of a constant."""
    for bit in range(16):
        other = last.multiplier ^ 1 << bit
        yield f"multiplier {other} instead of {last.multiplier} (bit {bit})", replace(last, multiplier=other).codes(acc)
    for bit in range(48):
        other = int(_wrapped(np.array(last.bias ^ 1 << bit), 48))
        yield f"bias {other} instead of {last.bias} (bit {bit})", replace(last, bias=other).codes(acc)
    for bit in range(5):
        other = last.shift ^ 1 << bit
        if other:
            yield f"shift {other} instead of {last.shift} (bit {bit})", replace(last, shift=other).codes(acc)


def sums(last: Affine, taken: Operands, bits: int) -> Iterator[Guess]:
    """What goes into the accumulator: padding, one weight, one tap. ``bits`` of a weight."""
    acc = taken.sums
    if not taken.inside.all():
        zeroed = np.where(taken.inside, taken.codes, 0)
        yield "padding reads code 0 instead of the zero point", last.codes(taken.weights @ zeroed)
    for k, weight in enumerate(taken.weights):
        place = f"input channel {taken.channel[k]}, kernel row {taken.tap[k][0]}, column {taken.tap[k][1]}"
        for bit in range(bits):
            other = int(_wrapped(np.array(weight ^ 1 << bit), bits))
            yield f"weight {other} instead of {weight} ({place}; bit {bit})", last.codes(acc + (other - weight) * taken.codes[k])


def addresses(last: Affine, taken: Operands, data: np.ndarray, zero: int) -> Iterator[Guess]:
    """Every tap reads beside its place in ``data`` (C, H, W) with zero point ``zero``."""
    for rows, columns in NEIGHBOURS:
        beside = moved(taken, data, zero, rows, columns)
        yield f"taps read {rows:+d} rows, {columns:+d} columns away", last.codes(beside.sums)


def _wrapped(value: np.ndarray, bits: int) -> np.ndarray:
    half = 1 << (bits - 1)
    return ((value.astype(np.int64) + half) & ((1 << bits) - 1)) - half


def misplaced(want: np.ndarray, channel: int, ys: np.ndarray, xs: np.ndarray) -> Iterator[Guess]:
    """The right value of another place: of a neighbour, another row, another channel. ``want`` (C, H, W)."""
    channels, height, width = want.shape
    for dy, dx in (*NEIGHBOURS, *((r, 0) for r in (-2, 2, -4, 4, -8, 8, -16, 16))):
        y, x = (ys + dy).clip(0, height - 1), (xs + dx).clip(0, width - 1)
        yield f"the value of the place {dy:+d} rows, {dx:+d} columns away", want[channel, y, x]
    for other in range(channels):
        if other != channel:
            yield f"the value of channel {other} (channel order)", want[other, ys, xs]
    stuck = {0: "stuck at 0", -128: "stuck at -128"}
    for value, name in stuck.items():
        yield name, np.full(len(ys), value)
