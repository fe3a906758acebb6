# SPDX-License-Identifier: Apache-2.0
"""The networks that faults are injected into: fuzzed ones on three small accelerators."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from codesign.boards import Board, load_board
from codesign.errors import UserError
from codesign.fuzz.case import drawn
from codesign.fuzz.machines import MACHINES
from codesign.fuzz.source import source
from codesign.golden import run
from codesign.graph.ir import Graph
from codesign.plan.planner import plan_by
from codesign.plan.policy import POLICIES
from codesign.program.isa import Opcode
from codesign.program.program import Program

USED = (0, 1, 2)  #: numbers of the accelerators: two AXI ports and one, long queues and short ones
COUNT = 4  #: victims on each
_INSTRUCTIONS = (40, 300)  #: fewer shows little, more takes long


@dataclass(frozen=True, eq=False)
class Victim:
    """A planned network, the codes it reads and what golden makes of them, by output."""

    seed: int
    board: Board
    graph: Graph
    program: Program
    codes: np.ndarray
    golden: dict[str, np.ndarray]


def victims(machine: int) -> list[Victim]:
    """Those of one accelerator; the same every time."""
    found: list[Victim] = []
    seed = machine
    while len(found) < COUNT:
        victim = _victim(machine, seed)
        if victim is not None:
            found.append(victim)
        seed += len(MACHINES)
    return found


def _victim(machine: int, seed: int) -> Victim | None:
    case = replace(drawn("network", seed), machine=MACHINES[machine])
    try:
        graph, codes = source(case)
        program = plan_by(graph, case.machine, POLICIES[case.policy]).program
    except UserError:
        return None
    kinds = {instruction.opcode for instruction in program.instructions}
    least, most = _INSTRUCTIONS
    if not least <= len(program.instructions) <= most or not set(Opcode) <= kinds:
        return None
    values = run(graph, codes)
    golden = {name: values[name] for name in graph.outputs.values()}
    board = replace(load_board("pynq-z2"), accelerator=case.machine)
    return Victim(seed, board, graph, program, codes, golden)
