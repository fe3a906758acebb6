# SPDX-License-Identifier: Apache-2.0
"""One small frame on the instruction-set model, with a trace as the RTL gives."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from codesign.boards import Board, load_board
from codesign.build.steps.simulate import _trace
from codesign.graph.ir import Graph
from codesign.lower.random_net import calibration_image, random_graph
from codesign.numeric import image_codes
from codesign.plan import Plan, plan
from codesign.report.shares import Shares, make_shares
from tests.build.fakes import run_frame


@dataclass(frozen=True)
class Profiled:
    graph: Graph
    plan: Plan
    board: Board
    trace: dict
    shares: Shares


@pytest.fixture(scope="session")
def profiled() -> Profiled:
    graph, board = random_graph("b", height=64, width=64), load_board("pynq-z2")
    planned = plan(graph, board.accelerator)
    frame = run_frame(None, planned.program, board, image_codes(calibration_image(graph)))
    trace = _trace(SimpleNamespace(plan=planned), frame)
    return Profiled(graph, planned, board, trace, make_shares(graph, planned.program, trace))
