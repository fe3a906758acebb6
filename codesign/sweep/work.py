# SPDX-License-Identifier: Apache-2.0
"""Does a task: a function per kind, from JSON values to JSON values, in whatever process or machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.errors import UserError
from codesign.sweep.task import Task

if TYPE_CHECKING:
    from codesign.boards import Dram
    from codesign.graph.ir import Graph
    from codesign.plan import Plan
    from codesign.program.config import AcceleratorConfig

ACC_BITS = 24


@dataclass(frozen=True)
class Answer:
    """``values`` as JSON values; with the key ``refused`` where the task cannot be done, and why."""

    values: dict[str, Any]
    seconds: float


def answer(task: Task) -> Answer:
    """The answer of one task. What the user could mend is an answer, too; a bug is raised."""
    began = time.monotonic()
    try:
        found = _KINDS[task.kind](task)
    except UserError as error:
        found = {"refused": str(error)}
    return Answer(found, time.monotonic() - began)


def _plan(task: Task) -> dict[str, Any]:
    """Cycles of the latency model and DRAM traffic of the planned program."""
    from codesign.boards import load_board
    from codesign.plan.latency import predict
    from codesign.report.work import works

    board = load_board(task.subject["design"])
    planned = _planned(task.files["graph"], task.subject["graph"], task.subject["policies"], board.accelerator, board.dram)
    rows = works(planned.program)
    return {
        "cycles": predict(planned.program, board.dram).cycles,
        "read_bytes": sum(row.read_bytes for row in rows),
        "write_bytes": sum(row.write_bytes for row in rows),
        "instructions": len(planned.program.instructions),
    }


#: settings that the planner does not read, with values that any other setting allows
_UNREAD = {"spad_banks": 1, "depthwise_requant": 4, "queue_depth": 32, "pointwise_param_beats": 2048, "depthwise_param_beats": 512,
           "memory_ports": 1, "acc_bits": 24}  # fmt: skip


def _planned(path: str, digest: str, policies: str, config: AcceleratorConfig, dram: Dram) -> Plan:
    """As `codesign build` plans (policies "all"), or by one policy, once for all designs that the planner cannot tell apart."""
    from codesign.plan import plan

    if policies == "all":
        return plan(_graph(path, digest), config, dram)
    planned = _plan_quickly(path, digest, replace(config, **_UNREAD))
    return replace(planned, program=replace(planned.program, config=config))


@lru_cache(maxsize=4)
def _plan_quickly(path: str, digest: str, config: AcceleratorConfig) -> Plan:
    from codesign.plan.planner import plan_by
    from codesign.plan.policy import Policy

    return plan_by(_graph(path, digest), config, Policy(beside=1, reserve=3))


@lru_cache(maxsize=2)
def _graph(path: str, digest: str) -> Graph:
    from codesign.graph.files import load_graph

    return load_graph(Path(path), ACC_BITS)


def _score(task: Task) -> dict[str, Any]:
    """AP50 of the integers on the held-out pictures."""
    from codesign.sweep.accuracy import golden_ap50

    return golden_ap50(_graph(task.files["graph"], task.subject["graph"]), Path(task.files["data"]))


def _train(task: Task) -> dict[str, Any]:
    from codesign.sweep.accuracy import trained

    return trained(task.subject, Path(task.files["data"]), Path(task.files["out"]), task.seed)


def _check(task: Task) -> dict[str, Any]:
    from codesign.sweep.check import checked

    return checked(task.subject, task.files)


_KINDS = {"plan": _plan, "score": _score, "train": _train, "check": _check}
