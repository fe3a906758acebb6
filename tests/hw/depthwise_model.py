# SPDX-License-Identifier: Apache-2.0
"""A depthwise instruction, straight from docs/architecture.md, on a NumPy scratchpad; and random instructions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.numeric import requantise
from codesign.program.isa import Deform, Mode, Opcode, encode

WORDS = 4096
SOURCE, OFFSETS, DESTINATION = 0, 2048, 3072  # where a random instruction reads and writes


@dataclass
class Work:
    """One instruction, its parameters, and the offset words it needs."""

    fields: dict[str, int]
    weights: np.ndarray  # (taps, lanes); with `same`, and for ADD, (1, lanes)
    multiplier: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    offsets: np.ndarray  # (rows * off_pitch, lanes)

    @property
    def beats(self) -> list[int]:
        """The parameters as the unit reads them."""
        if self.fields["mode"] not in (Mode.MAC, Mode.ADD):
            return []
        beats = []
        for m, b, s in zip(self.multiplier, self.bias, self.shift):
            beats += [int(m) | int(s) << 16, int(b) & (1 << 64) - 1]
        bits = 8 if self.fields["w8"] else 4
        for tap in self.weights:
            word = sum((int(w) & (1 << bits) - 1) << bits * i for i, w in enumerate(tap))
            beats += [word >> 64 * i & (1 << 64) - 1 for i in range(bits * len(tap) // 64)]
        return beats

    @property
    def instruction(self) -> int:
        return int.from_bytes(encode(Opcode.DEPTHWISE, self.fields), "little")


def execute(work: Work, memory: np.ndarray, requant: int) -> dict[int, np.ndarray]:
    """Words written, by address, for uint8 ``memory`` (words, lanes), with ``requant`` lanes requantised a cycle."""
    f, lanes = work.fields, memory.shape[1]
    codes = memory.view(np.int8)
    out = {}
    for oy in range(f["rows"]):
        for ox in range(f["cols"]):
            if f["mode"] == Mode.ADD:
                second = f | {name: f[f"off_{name}"] for name in ("src", "pitch", "up")}
                addends = [fetch(each, codes, oy, ox, 0, 0) for each in (f, second)]
                out[f["dst"] + oy * f["dst_pitch"] + ox] = add(work, addends, lanes, requant)
                continue
            taps = [fetch(f, codes, oy, ox, ky, kx) for ky in range(f["kh"]) for kx in range(f["kw"])]
            out[f["dst"] + oy * f["dst_pitch"] + ox] = combine(work, taps, lanes)
    return out


def fetch(f: dict[str, int], codes: np.ndarray, oy: int, ox: int, ky: int, kx: int) -> np.ndarray | None:
    """A tap's codes: the word, or in mode WINDOW its pixel's four; None outside."""
    y, x = f["y0"] + oy * f["stride"] + ky, f["x0"] + ox * f["stride"] + kx
    if f["deform"]:
        offset = codes[f["off_src"] + oy * f["off_pitch"] + ox].astype(int)
        if f["deform"] == Deform.SQUARE:
            y += (f["kh"] // 2 - ky) + (ky - f["kh"] // 2) * offset[0]
            x += (f["kw"] // 2 - kx) + (kx - f["kw"] // 2) * offset[0]
        else:
            t = ky * f["kw"] + kx
            y, x = y + offset[2 * t], x + offset[2 * t + 1]
    if not (0 <= y < f["in_h"] and 0 <= x < f["in_w"]):
        return None
    y, x = y >> f["up"], x >> f["up"]
    y = y % 2 ** f["ring"] if f.get("ring") else y
    pixels = codes.shape[1] // 4
    if f["mode"] == Mode.WINDOW:
        return codes[(f["src"] + y * f["pitch"] + x // pixels) % 65536].reshape(pixels, 4)[x % pixels]
    return codes[(f["src"] + y * f["pitch"] + x) % 65536]


def combine(work: Work, taps: list[np.ndarray | None], lanes: int) -> np.ndarray:
    f = work.fields
    if f["mode"] == Mode.MAX:
        return np.max([np.full(lanes, -128, np.int8), *(tap for tap in taps if tap is not None)], axis=0)
    if f["mode"] == Mode.WINDOW:
        out = np.zeros(lanes, np.int8)
        for t, tap in enumerate(taps):
            out[3 * t : 3 * t + 3] = (
                f["z_in"] if tap is None else (tap.view(np.uint8)[:3] ^ 0x80).view(np.int8)
            )
        return out
    values = np.array([np.full(lanes, f["z_in"]) if tap is None else tap for tap in taps], np.int64)
    total = (values * work.weights).sum(axis=0)
    return requantise(total, work.multiplier, work.bias, work.shift, f["z_out"], f["lo"], f["hi"])


def add(work: Work, addends: list[np.ndarray | None], lanes: int, requant: int) -> np.ndarray:
    """Lane i: multiplier and bias of the first addend are lane (i mod requant)'s, multiplier of the second and the shift
    those of the lane ``requant`` further."""
    f = work.fields
    values = [np.full(lanes, f["z_in"], np.int64) if a is None else a.astype(np.int64) for a in addends]
    first = np.arange(lanes) % requant
    total = sum(
        value * work.weights[0] * work.multiplier[first + requant * i] for i, value in enumerate(values)
    )
    ones = np.ones(lanes, np.int64)
    bias, shift = work.bias[first] + total, work.shift[first + requant]
    return requantise(0 * ones, ones, bias, shift, f["z_out"], f["lo"], f["hi"])


def random_work(rng: random.Random, lanes: int, **fixed: Any) -> Work:
    """An instruction whose taps reach over every border; ``fixed`` overrides fields before the rest is drawn."""
    f: dict[str, int] = {"engine": 3, "index": rng.randrange(65536)}
    f["mode"] = rng.choice([Mode.MAC, Mode.MAC, Mode.MAC, Mode.MAX, Mode.WINDOW, Mode.ADD])
    f["deform"] = rng.choice([Deform.NONE, Deform.SQUARE, Deform.PAIRS])
    f["kh"], f["kw"] = rng.choice([(3, 3), (3, 3), (1, 1), (5, 5), (7, 7), (2, 3), (1, 5), (4, 1), (6, 2)])
    f["w8"], f["up"], f["stride"] = rng.randrange(2), rng.randrange(2), rng.choice([1, 1, 2, 4])
    f["ring"] = rng.choice([0, 0, 1, 2, 3, 4])
    f |= {k: v for k, v in fixed.items()}
    f["same"], f["off_up"] = int(rng.random() < 0.2), rng.randrange(2)
    f |= {k: v for k, v in fixed.items()}
    if f["mode"] == Mode.ADD:
        f |= {"kh": 1, "kw": 1, "deform": Deform.NONE, "w8": 0}
    elif f["same"] and f["deform"] == Deform.NONE and f["mode"] == Mode.MAC and rng.random() < 0.5:
        f["kh"], f["kw"] = rng.choice([(8, 8), (9, 2), (3, 31), (17, 5)])
    taps = f["kh"] * f["kw"]
    limit = {Deform.PAIRS: lanes // 2, Deform.SQUARE: 49, Deform.NONE: 961}[Deform(f["deform"])]
    if taps > limit or (f["mode"] == Mode.WINDOW and taps > lanes // 3):
        f["kh"], f["kw"] = 2, 2
    f["rows"], f["cols"] = rng.randint(1, 5), rng.randint(1, 5)
    f["in_h"], f["in_w"] = rng.randint(1, 20), rng.randint(1, 20)
    f["y0"], f["x0"] = rng.randint(-8, f["in_h"]), rng.randint(-8, f["in_w"])
    f["pitch"], f["off_pitch"], f["dst_pitch"] = (
        20 + rng.randrange(5),
        5 + rng.randrange(3),
        5 + rng.randrange(3),
    )
    f["src"] = SOURCE + rng.randrange(100)
    f["off_src"], f["dst"] = OFFSETS + rng.randrange(100), DESTINATION + rng.randrange(900)
    f["z_in"], f["z_out"] = rng.randint(-128, 127), rng.randint(-128, 127)
    f["lo"] = rng.choice([-128, f["z_out"]])
    f["hi"] = rng.randint(f["lo"], 127)
    f |= {k: v for k, v in fixed.items() if k not in ("kh", "kw", "w8", "deform")}
    return Work(f, *_parameters(rng, lanes, f), _offsets(rng, lanes, f))


def _parameters(rng: random.Random, lanes: int, f: dict[str, int]) -> tuple[np.ndarray, ...]:
    draw = np.random.default_rng(rng.getrandbits(32))
    limit = 128 if f["w8"] else 8
    alone = f["mode"] == Mode.ADD or (f["mode"] == Mode.MAC and f["same"])
    rows = 1 if alone else f["kh"] * f["kw"]
    limit = min(limit, 63) if alone else limit  # 93 taps of them fit the sum
    weights = draw.integers(-limit, limit, (rows, lanes))
    shift = draw.integers(18, 26, lanes)  # results on both sides of the clamps and between
    multiplier = draw.integers(1 << 15, 1 << 16, lanes)
    bias = draw.integers(-(1 << 30), 1 << 30, lanes)
    beats = 2 * lanes + weights.size // (8 if f["w8"] else 16)
    f["param_beats"] = beats if f["mode"] in (Mode.MAC, Mode.ADD) else 0
    return weights, multiplier, bias, shift


def _offsets(rng: random.Random, lanes: int, f: dict[str, int]) -> np.ndarray:
    """Distances 0..7 (lane 0), pairs -7..7; now and then the far ends of a byte."""
    draw = np.random.default_rng(rng.getrandbits(32))
    low = 0 if f["deform"] == Deform.SQUARE else -7
    words = draw.integers(low, 8, (f["rows"] * f["off_pitch"], lanes))
    far = draw.random(words.shape) < 0.03
    return np.where(far, draw.choice([-128, 127, -1], words.shape), words).astype(np.int8)
