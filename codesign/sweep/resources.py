# SPDX-License-Identifier: Apache-2.0
"""What an accelerator takes of a device, estimated without synthesis.

DSPs and the scratchpad's block RAMs follow from the hardware's own rules. LUTs, flip-flops and the other block RAMs are sums
over the accelerator's parts; each part's is linear in a few terms that say what the part is built of, with coefficients (none
negative) fitted to configurations that Yosys synthesised: ``synthesised.json``. `left_out` tells the error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from codesign.boards import Board
from codesign.program.config import AcceleratorConfig
from codesign.sweep.parts import PARTS
from hw.multipliers import QUAD, Multipliers, multipliers, other_dsps

SAMPLES = Path(__file__).with_name("synthesised.json")
COUNTS = ("lut", "ff", "bram36")
_BANK_WORDS, _BANK_BITS = 1024, 32  #: of a 36 kb block; half of it is 512 words of the same width
_RIDGE = 1e-6
_DSP48 = ("xc7", "xcup")
_ECP5_LUT = 2.0  #: LUT4s and halves of carry cells for a LUT6


@dataclass(frozen=True)
class Resources:
    """Estimates for one design."""

    lut: float
    ff: float
    dsp: float
    bram36: float

    def rounded(self) -> dict[str, float]:
        """By name: whole numbers, block RAMs in halves."""
        return {"lut": round(self.lut), "ff": round(self.ff), "dsp": round(self.dsp), "bram36": round(2 * self.bram36) / 2}


@dataclass(frozen=True)
class Sample:
    """One synthesised configuration: totals by name, and lut, ff, bram36 by part."""

    config: AcceleratorConfig
    layout: Multipliers
    total: dict[str, float]
    parts: dict[str, dict[str, float]]


def estimate(board: Board) -> Resources:
    """Of the accelerator that `codesign build` makes for this board."""
    config, family = board.accelerator, board.device.family
    layout = multipliers(config, board.device.dsp, primitives=family in _DSP48)
    return _estimate(config, layout, 1.0 if family in _DSP48 else _ECP5_LUT, _fitted())


def left_out(samples: Sequence[Sample] | None = None) -> list[tuple[Sample, Resources]]:
    """Every synthesised configuration beside the estimate of a model that was fitted to the others."""
    every = list(samples if samples is not None else read_samples())
    return [(s, _estimate(s.config, s.layout, 1.0, fit([o for o in every if o is not s]))) for s in every]


def _estimate(config: AcceleratorConfig, layout: Multipliers, luts: float, model: Model) -> Resources:
    rows = terms(config, layout)
    sums = {count: sum(float(rows[part] @ model[part, count]) for part in PARTS) for count in COUNTS}
    dsps = other_dsps(config) + QUAD * layout.quads
    return Resources(luts * sums["lut"], sums["ff"], dsps, sums["bram36"] + spad_blocks(config))


def spad_blocks(config: AcceleratorConfig) -> float:
    """Block RAMs of 36 kb of the scratchpad's banks."""
    words, wide = config.spad_words // config.spad_banks, -(-8 * config.lanes // _BANK_BITS)
    halves = -(-words // _BANK_WORDS) * 2 if words > _BANK_WORDS // 2 else 1
    return config.spad_banks * wide * halves / 2


def terms(config: AcceleratorConfig, layout: Multipliers) -> dict[str, np.ndarray]:
    """Per part, what its size is a sum of. Bits are those of a word's lanes."""
    lanes, out, units, banks = config.lanes, config.array_out, config.depthwise_units, config.spad_banks
    bits, readers, packed = 8 * lanes, units + 2, 2 * QUAD * layout.quads
    queues = (3 + units) * -(-config.queue_depth // 32)
    return {
        "array": np.array([packed, lanes * out - packed, lanes, out], float),
        "pointwise": np.array([1, lanes, out, out * config.acc_depth / 512], float),
        "depthwise": units * np.array([1, lanes, config.depthwise_requant, lanes / config.depthwise_requant], float),
        "scratchpad": np.array([readers * bits * (banks - 1) / 3, banks * bits, banks * readers, bits, readers * bits], float),
        "fetch": np.array([1, config.pointwise_param_beats / 512, units * config.depthwise_param_beats / 512, units], float),
        "rest": np.array([1, queues, units * lanes, lanes, config.memory_ports - 1], float),
    }


Model = dict[tuple[str, str], np.ndarray]


def fit(samples: Sequence[Sample]) -> Model:
    """Coefficients by part and count, of least relative error."""
    rows = [terms(sample.config, sample.layout) for sample in samples]
    model: Model = {}
    for part in PARTS:
        basis = np.array([row[part] for row in rows])
        for count in COUNTS:
            wanted = np.array([_wanted(sample, part, count) for sample in samples])
            weight = 1 / np.maximum([sample.total[count] for sample in samples], 1)
            model[part, count] = _not_negative(basis * weight[:, None], wanted * weight)
    return model


def _wanted(sample: Sample, part: str, count: str) -> float:
    """Of the scratchpad's block RAMs, what `spad_blocks` does not say."""
    known = spad_blocks(sample.config) if (part, count) == ("scratchpad", "bram36") else 0.0
    return max(0.0, sample.parts[part][count] - known)


def _not_negative(basis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Least squares with no negative coefficient (Lawson and Hanson's active sets); small ones where the samples leave a choice."""
    scale = np.sqrt((basis**2).sum(axis=0))
    unit = basis / np.where(scale > 0, scale, 1)
    gram, target = unit.T @ unit + _RIDGE * np.eye(len(scale)), unit.T @ wanted
    found, free = np.zeros(len(scale)), np.zeros(len(scale), bool)
    for _ in range(8 * len(scale)):
        slope = np.where(free, -np.inf, target - gram @ found)
        if slope.max() <= 1e-12:
            break
        free[np.argmax(slope)] = True
        while True:
            best = np.zeros(len(scale))
            best[free] = np.linalg.solve(gram[np.ix_(free, free)], target[free])
            if best[free].min(initial=1.0) > 0:
                break
            low = free & (best <= 0)
            step = float(np.min(found[low] / (found[low] - best[low])))
            found = found + step * (best - found)
            free &= found > 1e-15
        found = best
    return found / np.where(scale > 0, scale, 1)


@lru_cache(maxsize=1)
def _fitted() -> Model:
    return fit(read_samples())


@lru_cache(maxsize=1)
def read_samples() -> tuple[Sample, ...]:
    """The synthesised configurations that come with the package."""
    document: dict[str, Any] = json.loads(SAMPLES.read_text())
    return tuple(
        Sample(AcceleratorConfig(**row["accelerator"]), Multipliers(row["quads"]), row["total"], row["parts"])
        for row in document["samples"]
    )
