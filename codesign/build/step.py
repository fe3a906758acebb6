# SPDX-License-Identifier: Apache-2.0
"""What a step of the build is, and what the steps share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from codesign.boards import Board
from codesign.bounded import MIB, opened_arrays, read_bytes
from codesign.build.artefacts import file_hash, readable
from codesign.build.options import BuildOptions
from codesign.graph.files import load_graph
from codesign.graph.ir import Graph
from codesign.plan import Plan, plan

GRAPH, IMAGE, GOLDEN, STATISTICS = "graph.safetensors", "image.png", "golden.npz", "statistics.json"
PROGRAM, LISTING, PLAN = "program.bin", "program.txt", "plan.json"
RTL, PORTS = "rtl/codesign_accelerator.v", "rtl/ports.txt"
SYNTHESIS_RTL = "rtl/synthesis/codesign_accelerator.v"
FRAME, RESOURCES, REPORT = "simulation.json", "resources.json", "report.json"
PAGE = "report.html"

VERIFIED, DONE, SKIPPED, FAILED = "verified", "done", "skipped", "failed"

MOST_JSON = 32 * MIB  #: of an artefact


@dataclass(frozen=True)
class Outcome:
    """How a step ended; ``reason`` is what its line says, ``facts`` what the report reads."""

    status: str
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Context:
    """What steps share. Artefacts are always read back from the folder, so that an edited one is what is used."""

    options: BuildOptions
    board: Board
    folder: Path
    log: Callable[[str], None]  #: a line under the running step
    progress: Callable[[str], None]  #: a passing remark on what the running step is doing
    results: list[Any] = field(default_factory=list)  #: `StepResult` of the steps so far
    command: str = ""  #: the command line that built the folder, where it is another one than these options say

    def path(self, name: str) -> Path:
        return self.folder / name

    def hash(self, name: str) -> str:
        return file_hash(self.path(name))

    def fact(self, step: str) -> dict[str, Any]:
        """Facts of a step that ended before; empty if it did not run."""
        return next((r.facts for r in self.results if r.name == step), {})

    def json(self, name: str) -> Any:
        with readable(self.path(name)):
            return json.loads(read_bytes(self.path(name), MOST_JSON))

    @cached_property
    def graph(self) -> Graph:
        return load_graph(self.path(GRAPH), self.board.accelerator.acc_bits)

    @cached_property
    def plan(self) -> Plan:
        return plan(self.graph, self.board.accelerator, self.board.dram)

    @cached_property
    def codes(self) -> np.ndarray:
        """The input's codes, int8 (C, H, W)."""
        from codesign.build.network_input import codes_of_png

        return codes_of_png(self.path(IMAGE), self.graph.input.shape)

    @cached_property
    def golden(self) -> dict[str, np.ndarray]:
        path = self.path(GOLDEN)
        with readable(path):
            with opened_arrays(path) as arrays:
                values = {name: arrays.read(name, tensor.shape) for name, tensor in self.graph.tensors.items()}
            wrong = next((name for name, array in values.items() if array.dtype != np.int8), None)
            if wrong is not None:
                raise ValueError(f"{wrong} is {values[wrong].dtype}, not int8")
            return values


class Step:
    """One step. ``outputs`` are paths in the build folder; ``sources`` are the package's files that decide the result.

    A step that works in the background names the step after which `start` is called; `run` then waits for it.
    """

    name: str = ""
    outputs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    starts_after: str | None = None

    def inputs(self, context: Context) -> dict[str, str]:
        """Hashes of everything read, by name."""
        raise NotImplementedError

    def run(self, context: Context) -> Outcome:
        raise NotImplementedError

    def start(self, context: Context) -> None:
        """Begin work in the background."""

    def cancel(self) -> None:
        """End work in the background."""

    def show(self, context: Context, facts: dict[str, Any]) -> None:
        """Lines printed below the step's own, whether it ran or was kept."""
