# SPDX-License-Identifier: Apache-2.0
"""A fuzz case: the seed it is drawn from, the accelerator and DRAM it runs on, and what of it is kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from codesign.boards import Dram
from codesign.bounded import read_bytes, reason
from codesign.errors import UserError
from codesign.fuzz.machines import MACHINES
from codesign.plan.policy import POLICIES
from codesign.program.config import AcceleratorConfig

KINDS = ("layer", "network")
STALLS = (0.0, 0.0, 0.05, 0.3, 0.7)  #: a DRAM channel's chance a cycle to pause
LATENCIES = (1, 2, 20, 30, 30, 100, 400)  #: cycles
RATES = (4, 8, 8, 16, 16, 64)  #: bytes a cycle, reads and writes of all ports
OUTSTANDING = (8, 8, 64)
MAX_BYTES = 64 * 1024  #: of a case's file


@dataclass(frozen=True)
class Case:
    """``kind`` and ``seed`` say which graph and which input codes; the rest where it runs.

    A shrunk case keeps what lies between the tensors ``input`` and ``output``, of an input cropped to ``crop`` (H, W).
    """

    kind: str
    seed: int
    machine: AcceleratorConfig
    policy: int = 0  #: index into `codesign.plan.policy.POLICIES`
    stall: float = 0.0
    latency: int = 30
    rate: int = 16
    outstanding: int = 8
    input: str = ""
    output: str = ""
    crop: tuple[int, int] | None = None

    @property
    def dram(self) -> Dram:
        """The memory that is simulated."""
        return Dram(self.machine.memory_ports, 8, self.rate, self.latency, 16, self.outstanding)

    @property
    def name(self) -> str:
        """Unique within a campaign."""
        return f"{self.kind}-{self.seed}"

    def document(self, about: str = "") -> dict[str, Any]:
        """JSON-able; `read` takes it back."""
        return {"about": about, **asdict(self)}


def drawn(kind: str, seed: int) -> Case:
    """The case of a seed. Accelerators come in turns, the rest at random."""
    rng = np.random.default_rng([KINDS.index(kind), seed, 1])
    return Case(
        kind, seed, MACHINES[seed % len(MACHINES)], int(rng.integers(len(POLICIES))), float(rng.choice(STALLS)),
        int(rng.choice(LATENCIES)), int(rng.choice(RATES)), int(rng.choice(OUTSTANDING)),
    )  # fmt: skip


def read(path: Path) -> Case:
    """A case's file. Raises `UserError` on anything that is none."""
    try:
        return parse(json.loads(read_bytes(path, MAX_BYTES)))
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no fuzz case: {reason(error, 160)}; `codesign fuzz` writes them") from error


def parse(document: Any) -> Case:
    """The case of a JSON document. Raises ValueError, TypeError, KeyError or UserError."""
    if not isinstance(document, dict):
        raise ValueError("not an object")
    given = {key: value for key, value in document.items() if key != "about"}
    unknown = sorted(set(given) - {field.name for field in fields(Case)})
    if unknown:
        raise ValueError(f"unknown keys {unknown[:3]}")
    machine = given["machine"]
    if not isinstance(machine, dict) or not all(type(value) is int for value in machine.values()):
        raise ValueError("machine holds something else than whole numbers")
    crop = given.get("crop")
    case = Case(**(given | {"machine": AcceleratorConfig(**machine), "crop": tuple(crop) if crop else None}))
    _check(case)
    return case


def _check(case: Case) -> None:
    rules = (
        ("kind", case.kind in KINDS),
        ("seed", type(case.seed) is int and case.seed >= 0),
        ("policy", type(case.policy) is int and 0 <= case.policy < len(POLICIES)),
        ("stall", isinstance(case.stall, int | float) and 0 <= case.stall < 1),
        ("latency", type(case.latency) is int and 1 <= case.latency <= 1000),
        ("rate", type(case.rate) is int and 1 <= case.rate <= 64),
        ("outstanding", type(case.outstanding) is int and 8 <= case.outstanding <= 64),
        ("input", isinstance(case.input, str)),
        ("output", isinstance(case.output, str)),
        ("crop", case.crop is None or (len(case.crop) == 2 and all(type(v) is int and v > 0 for v in case.crop))),
    )
    for name, ok in rules:
        if not ok:
            raise ValueError(f"{name} = {repr(getattr(case, name))[:60]}")
