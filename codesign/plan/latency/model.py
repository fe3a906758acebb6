# SPDX-License-Identifier: Apache-2.0
"""Cycles of a program without RTL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from codesign.boards import Dram
from codesign.plan.latency import hardware as hw
from codesign.plan.latency.contention import Contention
from codesign.plan.latency.jobs import jobs
from codesign.plan.latency.schedule import schedule
from codesign.program.program import Program

_PASSES = 2  #: schedules; each but the last tells by how much instructions slow each other down in the next


@dataclass(frozen=True)
class Latency:
    """Predicted ``cycles`` of a frame, from the start write to the done status.

    ``starts`` and ``retired`` are the cycles in which each instruction leaves its queue and retires, the HALT left out.
    ``layers`` are the cycles of each layer from its first start to its last retirement, in the order of their starts.
    """

    cycles: int
    retired: tuple[int, ...]
    starts: tuple[int, ...]
    layers: dict[str, int]


def predict(program: Program, dram: Dram) -> Latency:
    """Cycles of ``program`` with this memory."""
    work = jobs(program, dram)
    contention = Contention(program.config, dram, work)
    factors = contention.first()
    for left in reversed(range(_PASSES)):
        answer = schedule(program.config, dram, work, factors)
        if left:
            factors = contention.factors(answer)
    starts = tuple(round(run[0]) for run in answer.runs)
    retired = tuple(round(run[3]) for run in answer.runs)
    names = [instruction.node for instruction in program.instructions[:-1]]
    return Latency(max(retired, default=0) + hw.DONE_CYCLES, retired, starts, _layers(names, starts, retired))


def _layers(names: list[str], starts: tuple[int, ...], retired: tuple[int, ...]) -> dict[str, int]:
    spans: dict[str, tuple[int, int]] = {}
    for name, start, end in zip(names, starts, retired, strict=True):
        if name:
            first, last = spans.get(name, (start, end))
            spans[name] = min(first, start), max(last, end)
    return {name: last - first for name, (first, last) in sorted(spans.items(), key=lambda item: item[1])}


def against_rtl(latency: Latency, cycles: int | None, layers: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The report's ``latency_model``: ``cycles``, ``error`` = (model - rtl) / rtl, and the same per layer.

    ``cycles``: the RTL's, None when it did not run. ``layers``: rows of `codesign.report.layers.layers`; a layer that RTL did
    not run has ``rtl`` and ``error`` None.
    """
    measured = {row["name"]: row["cycles"] for row in layers}
    rows = [
        {"name": name, "cycles": span, "rtl": measured.get(name), "error": _error(span, measured.get(name))}
        for name, span in latency.layers.items()
    ]
    return {"cycles": latency.cycles, "error": _error(latency.cycles, cycles), "layers": rows}


def _error(model: int, rtl: int | None) -> float | None:
    return (model - rtl) / rtl if rtl else None
