# SPDX-License-Identifier: Apache-2.0
"""What each layer loses when it alone goes to 4-bit weights, and which layers to keep at 8 bits for a loss budget.

The other layers stay in floating point ('float') or are quantised to 8 bits, activations included ('8'). Every layer's
result is a line of a file, so that a stopped run goes on; a file of another network, other pictures or settings is
refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from codesign.errors import UserError
from codesign.json_lines import JsonLines
from codesign.nn.blocks import ConvUnit
from codesign.nn.codenet import CoDeNet, calibrate, clip_weights, set_mode
from codesign.nn.layer_bits import LayerBits
from codesign.quantise.ptq import copied, with_bits
from codesign.quantise.score import Bench

OTHERS = ("float", "8")
SCHEMA = "codesign-sensitivity-1"
JOURNAL = "sensitivity.jsonl"  # in the folder of the results
BASE = ""  # the name of the result without any 4-bit layer


@dataclass(frozen=True)
class Row:
    """One layer at 4 bits: AP50 of the network then (0..1), relative squared error of the heads, number of weights."""

    layer: str
    ap50: float
    error: float
    weights: int


@dataclass(frozen=True)
class Advice:
    """Layers to keep at 8 bits, and AP50 measured with all others at 4 bits."""

    keep: tuple[str, ...]
    ap50: float
    within: bool


class Sensitivity:
    """Networks with some layers at 4 bits, scored on one bench."""

    def __init__(self, model: CoDeNet, batches: list[Tensor], bench: Bench, others: str = "8", weights: str = "max") -> None:
        if others not in OTHERS:
            raise UserError(f"--others {others!r}: must be one of {', '.join(OTHERS)}")
        self.bench, self.others, self.weights = bench, others, weights
        self.base = with_bits(model, 8)
        if others == "8":
            calibrate(self.base, batches, "mse")
        self.sizes = {name: unit.conv.weight.numel() for name, unit in _units(self.base).items()}

    @property
    def layers(self) -> tuple[str, ...]:
        """All of them, in execution order."""
        return self.base.config.layers

    def measure(self, layers: tuple[str, ...]) -> Row:
        """AP50 with these layers at 4 bits; the first call, with none, is the reference of the error."""
        score = self.bench.score(self._network(layers))
        return Row(layers[0] if len(layers) == 1 else BASE, score.ap50, score.error, sum(self.sizes[name] for name in layers))

    def _network(self, layers: tuple[str, ...]) -> CoDeNet:
        net = copied(self.base, replace(self.base.config, layer_bits=tuple((name, 4) for name in layers)))
        set_mode(net, self.others == "8")
        for name, unit in _units(net).items():
            if name in layers:
                unit.quantised = True
                clip_weights(unit, self.weights)
        return net


def _units(net: CoDeNet) -> dict[str, ConvUnit]:
    return {name: unit for name, unit in net.named_modules() if isinstance(unit, ConvUnit)}


class Results:
    """The results file: a header line that says what was measured, then a line a layer, appended as they come."""

    def __init__(self, path: Path, identity: dict[str, Any], fresh: bool = False) -> None:
        self._file = JsonLines(path, "choose another --out or --fresh")
        header = {"schema": SCHEMA, **identity}
        if fresh:
            self.path.unlink(missing_ok=True)
        lines = self._file.read()
        if not lines:
            self._file.append(header)
        elif lines[0] != header:
            raise UserError(f"{self.path}: results of another model, data or settings; use another --out or --fresh")
        self.rows = {row.layer: row for row in map(self._row, lines[1:])}

    @property
    def path(self) -> Path:
        return self._file.path

    def add(self, row: Row) -> None:
        """Append a result; what was written before stays whatever happens."""
        self._file.append(asdict(row))
        self.rows[row.layer] = row

    def _row(self, values: dict[str, Any]) -> Row:
        try:
            row = Row(**values)
            return Row(str(row.layer), float(row.ap50), float(row.error), int(row.weights))
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{self.path}: damaged results ({repr(values)[:60]}); use --fresh") from None


def identity(model_sha: str, images: list[str], others: str, weights: str, calibration: int) -> dict[str, Any]:
    """What a results file belongs to."""
    digest = hashlib.sha256("\n".join(images).encode()).hexdigest()
    return {"model": model_sha, "images": len(images), "pictures": digest, "others": others, "weights": weights,
            "calibration": calibration}  # fmt: skip


def model_sha(model: CoDeNet) -> str:
    """sha256 over a network's state."""
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        total.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return total.hexdigest()


def run(study: Sensitivity, results: Results, report: Callable[[int], None]) -> None:
    """Measure what is missing; `report` gets the number of layers done. The reference comes first, every time."""
    torch.manual_seed(0)
    base = study.measure(())
    if BASE not in results.rows:
        results.add(base)
    for layer in study.layers:
        if layer not in results.rows:
            results.add(study.measure((layer,)))
        report(sum(name in results.rows for name in study.layers))


def ranked(results: Results) -> list[tuple[Row, float]]:
    """(row, AP50 points lost), most sensitive first; equal losses by the error of the heads."""
    base = results.rows[BASE].ap50
    rows = [(row, 100 * (base - row.ap50)) for name, row in results.rows.items() if name != BASE]
    return sorted(rows, key=lambda pair: (-pair[1], -pair[0].error))


def advise(study: Sensitivity, results: Results, budget: float, report: Callable[[str], None] = lambda _: None) -> Advice:
    """The fewest of the most sensitive layers to keep at 8 bits so that all others at 4 lose at most `budget` points.

    Starts where the single losses add up to the budget and measures; while the measured loss is above the budget, half
    as many layers again are kept. Losses do not add up exactly, so only the measured one counts.
    """
    order, base = ranked(results), results.rows[BASE].ap50
    left = [max(0.0, lost) for _, lost in order]
    count = next((k for k in range(len(order) + 1) if sum(left[k:]) <= budget), len(order))
    while True:
        keep = tuple(row.layer for row, _ in order[:count])
        row = study.measure(tuple(name for name in study.layers if name not in keep))
        within = 100 * (base - row.ap50) <= budget
        report(f"{count} layers at 8 bits, {len(order) - count} at 4: AP50 {row.ap50:.4f} ({100 * (row.ap50 - base):+.2f} points)")
        if within or count == len(order):
            return Advice(keep, row.ap50, within)
        count = min(len(order), max(count + 1, count + count // 2))


def kept_bits(advice: Advice) -> LayerBits:
    """As `layer_bits` of a network with 4-bit weights."""
    keep = advice.keep if "stem" in advice.keep else (*advice.keep, "stem")
    return tuple((name, 8 if name in advice.keep else 4) for name in keep)
