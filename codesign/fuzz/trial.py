# SPDX-License-Identifier: Apache-2.0
"""One case through golden, planner and RTL."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from codesign.boards import load_board
from codesign.errors import UserError
from codesign.fuzz.boundaries import boundaries, stalls
from codesign.fuzz.case import Case
from codesign.fuzz.coverage import Seen, fields_of
from codesign.fuzz.source import source
from codesign.golden import run
from codesign.graph.ir import Graph
from codesign.plan.planner import plan_by
from codesign.plan.policy import POLICIES
from codesign.verify.compare import compare
from codesign.verify.frame import run_frame

EQUAL, DIFFERENT, REFUSED = "equal", "different", "refused"
MAX_CYCLES = 100_000_000


@dataclass(frozen=True)
class Outcome:
    """``status`` is one of the three above; ``problem`` says what differs or why the planner declined."""

    status: str
    problem: str = ""
    nodes: int = 0
    values: int = 0
    cycles: int = 0
    seconds: float = 0.0
    seen: Seen = field(default_factory=Seen)


def run_case(case: Case, library: Path) -> Outcome:
    """``library`` is the Verilated ``case.machine``."""
    began = time.monotonic()
    try:
        graph, codes = source(case)
        planned = plan_by(graph, case.machine, POLICIES[case.policy])
    except UserError as error:
        return Outcome(REFUSED, str(error), seconds=time.monotonic() - began)
    golden = run(graph, codes)
    board = replace(load_board("pynq-z2"), accelerator=case.machine, dram=case.dram)
    try:
        frame = run_frame(library, planned.program, board, codes, stall=case.stall, seed=case.seed, max_cycles=MAX_CYCLES)
    except (UserError, RuntimeError) as error:
        return Outcome(DIFFERENT, str(error), len(graph.nodes), seconds=time.monotonic() - began)
    result = compare(planned, graph, golden, frame)
    seen = Seen(fields_of(planned.program), boundaries(graph, golden, planned), stalls(case, planned.program, frame), kinds(graph))
    problem = f"{result.mismatches} mismatches; {result.first}" if result.mismatches else ""
    status = DIFFERENT if problem else EQUAL
    return Outcome(status, problem, len(graph.nodes), result.values, frame.cycles, time.monotonic() - began, seen)


def kinds(graph: Graph) -> frozenset[str]:
    """Names of the operators."""
    return frozenset(type(node).__name__ for node in graph.nodes)
