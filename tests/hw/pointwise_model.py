# SPDX-License-Identifier: Apache-2.0
"""A direct model of the pointwise engine, written from docs/architecture.md alone, and random instructions
for it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from codesign.numeric import requantise, split8
from codesign.program.config import AcceleratorConfig

MASK64 = (1 << 64) - 1
ADDRESSES = 1 << 16


@dataclass
class Job:
    """One instruction: its fields, weights (planes, kh, kw, array_out, lanes) and (M, S, B) per output."""

    fields: dict[str, int]
    weights: np.ndarray
    requant: list[tuple[int, int, int]]

    def beats(self) -> list[int]:
        """Parameters as 64-bit beats."""
        words = []
        if self.fields["last"]:
            for multiplier, shift, bias in self.requant:
                words += [multiplier | shift << 16, bias & MASK64 >> 16]
        bits = 8 if self.fields["w8"] else 4
        flat = self.weights.reshape(-1).tolist()
        for at in range(0, len(flat), 64 // bits):
            values = flat[at : at + 64 // bits]
            words.append(sum((w & ((1 << bits) - 1)) << (bits * i) for i, w in enumerate(values)))
        return words


class PointwiseModel:
    """Memory of int8 words and accumulators; `run` executes one job at once."""

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        self.memory = np.zeros((ADDRESSES, config.lanes), np.int8)
        self.sums = np.zeros((config.acc_depth, config.array_out), np.int64)

    def run(self, job: Job) -> None:
        f, first = job.fields, job.fields["first"]
        region = slice(f["acc_base"], f["acc_base"] + f["rows"] * f["cols"])
        for plane in range(f["planes"]):
            for ky in range(f["kh"]):
                for kx in range(f["kw"]):
                    taps = self._taps(f, plane, ky, kx)
                    weights = job.weights[plane, ky, kx].astype(np.int64)
                    halves = (
                        [(16, split8(weights)[0]), (1, split8(weights)[1])] if f["w8"] else [(1, weights)]
                    )
                    for scale, half in halves:
                        sums = scale * (taps @ half.T.astype(np.int64))
                        self.sums[region] = sums if first else self.sums[region] + sums
                        first = 0
        bits = self.config.acc_bits
        half = 1 << (bits - 1)
        self.sums = ((self.sums + half) & ((1 << bits) - 1)) - half
        if f["last"]:
            self._write(job)

    def _taps(self, f: dict[str, int], plane: int, ky: int, kx: int) -> np.ndarray:
        rows = []
        for oy in range(f["rows"]):
            for ox in range(f["cols"]):
                y, x = f["y0"] + oy * f["stride"] + ky, f["x0"] + ox * f["stride"] + kx
                at = f["src"] + plane * f["plane_stride"] + (y >> f["up"]) * f["pitch"] + (x >> f["up"])
                inside = 0 <= y < f["in_h"] and 0 <= x < f["in_w"]
                rows.append(self.memory[at % ADDRESSES] if inside else np.full(self.config.lanes, f["z_in"]))
        return np.array(rows, np.int64)

    def _write(self, job: Job) -> None:
        f = job.fields
        multiplier, shift, bias = (np.array(column, np.int64) for column in zip(*job.requant, strict=True))
        sums = self.sums[f["acc_base"] :][: f["rows"] * f["cols"]]
        codes = requantise(sums.T, multiplier, bias, shift, f["z_out"], f["lo"], f["hi"])
        for oy in range(f["rows"]):
            for ox in range(f["cols"]):
                word = self.memory[(f["dst"] + oy * f["dst_pitch"] + ox) % ADDRESSES]
                for o in range(self.config.array_out):
                    if f["dst_mask"] >> o & 1:
                        word[f["dst_group"] * self.config.array_out + o] = codes[o, oy * f["cols"] + ox]


class Jobs:
    """Random instructions; inputs lie in the lower half of the scratchpad, outputs in the upper one."""

    def __init__(self, config: AcceleratorConfig, rng: random.Random):
        self.config, self.rng = config, rng
        self.noise = np.random.default_rng(rng.randrange(1 << 30))
        self.index = rng.randrange(1 << 15)

    def sequence(self, count: int, **fixed: int) -> list[Job]:
        """About ``count`` jobs; some outputs are split over several instructions with first and last, some of those
        turn by turn with neighbours in the accumulators, and some sums are written a second time."""
        jobs: list[Job] = []
        while len(jobs) < count:
            parts = self.rng.choice([1, 1, 1, 2, 3])
            shape = self._region() | fixed
            bases = self._bases(shape["rows"] * shape["cols"])
            for part in range(parts):
                ends = {"first": int(part == 0), "last": int(part == parts - 1)}
                jobs += [self.job(**shape, **ends, acc_base=base) for base in bases]
            jobs += [self._again(shape, base) for base in bases if self.rng.random() < 0.3]
        return jobs

    def _bases(self, size: int) -> list[int]:
        """Accumulators of one region anywhere, or of up to three side by side."""
        room = self.config.acc_depth - size
        start = self.rng.choice([0, room, self.rng.randint(0, room)])
        return [base for base in range(start, start + self.rng.choice([1, 3]) * size, size) if base <= room]

    def _again(self, shape: dict[str, int], base: int) -> Job:
        """Requantises what the region's accumulators still hold: one plane, all weights zero."""
        job = self.job(**shape | {"planes": 1, "kh": 1, "kw": 1}, first=0, last=1, acc_base=base)
        return Job(job.fields, np.zeros_like(job.weights), job.requant)

    def _region(self) -> dict[str, int]:
        limit = self.rng.choice([2, 3, 6, 40, min(100, self.config.acc_depth)])
        rows = self.rng.randint(1, max(1, int(limit**0.5)))
        return {"rows": rows, "cols": self.rng.randint(1, limit // rows)}

    def job(self, **fixed: int) -> Job:
        rng, config, half = self.rng, self.config, self.config.spad_words // 2
        kernel, tall = rng.choice([(1, 1), (1, 1), (3, 3), (1, 3), (2, 2)]), rng.choice([1, 1, 2, 3])
        f: dict[str, int] = {
            "index": self.index & 0xFFFF, "planes": tall, "rows": 1, "cols": 1, "y0": rng.randint(-4, 6),
            "x0": rng.randint(-4, 6), "in_h": rng.randint(1, 24), "in_w": rng.randint(1, 24),
            "stride": rng.choice([1, 1, 2, 4]), "kh": kernel[0], "kw": kernel[1], "up": rng.choice([0, 0, 1]),
            "z_in": rng.randint(-128, 127), "w8": rng.choice([0, 0, 1]), "first": 1, "last": 1, "acc_base": 0,
            "dst_group": rng.randrange(config.groups), "dst_mask": rng.getrandbits(config.array_out),
            "z_out": rng.randint(-128, 127), "pitch": rng.randint(1, 30), "plane_stride": rng.randint(0, 99),
        }  # fmt: skip
        f["lo"], f["hi"] = rng.choice([(-128, 127), tuple(sorted(rng.sample(range(-128, 128), 2)))])
        f |= fixed
        reach = (f["in_h"] + 4) * f["pitch"] + f["in_w"] + f["planes"] * f["plane_stride"]
        f["src"] = rng.randrange(0, max(1, half - reach))
        f["dst_pitch"] = f["cols"] + rng.randint(0, 5)
        f["dst"] = half + rng.randrange(0, max(1, half - f["rows"] * f["dst_pitch"]))
        f |= {name: value for name, value in fixed.items() if name in ("src", "dst", "dst_pitch")}
        self.index += 1
        low, high = (-128, 128) if f["w8"] else (-8, 8)
        shape = (f["planes"], f["kh"], f["kw"], config.array_out, config.lanes)
        return Job(f, self.noise.integers(low, high, shape), [self._scale() for _ in range(config.array_out)])

    def _scale(self) -> tuple[int, int, int]:
        multiplier, shift = self.rng.randrange(1 << 15, 1 << 16), self.rng.randint(22, 31)
        return multiplier, shift, self.rng.randint(-(1 << (shift + 7)), 1 << (shift + 7))
