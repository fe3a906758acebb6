# SPDX-License-Identifier: Apache-2.0
"""What a board's accelerator makes of an imported model: what it executes, whether it fits, how many cycles it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from codesign.boards import Board
from codesign.errors import UserError
from codesign.graph.count import mac_count
from codesign.graph.ir import Conv, DeformConv, GlobalAveragePool, Graph, MaxPool, Node, Tensor
from codesign.onnx.importer import Import
from codesign.onnx.reader import one_line
from codesign.onnx.verdict import GOLDEN, SUPPORTED, UNSUPPORTED, Verdict
from codesign.plan import plan
from codesign.plan.emit_gather import LARGEST_SAME_SIDE
from codesign.plan.latency import predict
from codesign.program.config import AcceleratorConfig

_KERNEL_SIDE = 7
_LARGEST_SIDE = 2048  # coordinates are 12-bit fields of an instruction


@dataclass(frozen=True)
class Memory:
    """``weight_bytes`` of parameters in DRAM; ``map_words`` of the largest tensor beside ``spad_words`` of the scratchpad;
    ``program_bytes`` and ``dram_bytes`` where the network is planned."""

    weight_bytes: int
    map_words: int
    largest: str
    spad_words: int
    program_bytes: int | None = None
    dram_bytes: int | None = None


@dataclass(frozen=True)
class BoardCheck:
    """``verdicts`` on the operators, with what the accelerator cannot do; ``cycles`` and ``fps`` are predicted by the latency
    model, None unless everything is supported."""

    verdicts: tuple[Verdict, ...]
    supported: bool
    memory: Memory | None = None
    macs: int | None = None
    cycles: int | None = None
    fps: float | None = None


def check_board(found: Import, board: Board) -> BoardCheck:
    """Plan ``found`` for ``board`` where it can be planned; nothing is simulated."""
    graph, config = found.graph, board.accelerator
    problems = _input_problem(graph)
    for node in found.nodes:
        problem = accelerator_problem(found.tensors, node, config)
        if problem:
            problems.setdefault(found.origin[node.name], problem)
    if graph is None:
        return BoardCheck(_marked(found, problems), False)
    memory, macs = _memory(graph, config), mac_count(graph)
    if problems:
        return BoardCheck(_marked(found, problems), False, memory, macs)
    try:
        program = plan(graph, config, board.dram).program
        cycles = predict(program, board.dram).cycles
    except UserError as error:
        return BoardCheck(_marked(found, _refusal(found, str(error))), False, memory, macs)
    except (ValueError, OverflowError, AssertionError, IndexError) as error:
        rule = f"the planner fails on it ({type(error).__name__}: {one_line(error)})"
        return BoardCheck(_marked(found, {"network": (rule, "run it on golden, and report it")}), False, memory, macs)
    memory = replace(memory, program_bytes=len(program.content), dram_bytes=program.dram_bytes)
    return BoardCheck(found.verdicts, True, memory, macs, cycles, board.clock_mhz * 1e6 / cycles)


def require(found: Import, board: Board, where: str) -> Graph:
    """The graph, once every operator is one that the board's accelerator executes. Raises UserError for the first that is not."""
    bad = next((verdict for verdict in found.verdicts if verdict.status == UNSUPPORTED), None)
    if bad is not None or found.graph is None:
        raise UserError(f"{where}: {bad.problem if bad else 'computes nothing'}")
    problems = _input_problem(found.graph)
    for node in found.nodes:
        problem = accelerator_problem(found.tensors, node, board.accelerator)
        if problem:
            problems.setdefault(found.origin[node.name], problem)
    for name, (rule, remedy) in problems.items():
        raise UserError(f"{where}: {name!r}: {rule}; {remedy}")
    return found.graph


def _refusal(found: Import, said: str) -> dict[str, tuple[str, str]]:
    """What the planner said, by the operator it named."""
    rule, _, remedy = said.rpartition("; ")
    named = max((node.name for node in found.nodes if said.startswith(node.name)), key=len, default="")
    return {found.origin.get(named, "network"): (rule or said, remedy if rule else "use a smaller network, or another board")}


def _input_problem(graph: Graph | None) -> dict[str, tuple[str, str]]:
    sides = (1, 1) if graph is None else graph.input.shape[1:]
    if max(sides) <= _LARGEST_SIDE:
        return {}
    return {"network": (f"an input of {sides[0]}×{sides[1]}", f"use at most {_LARGEST_SIDE}×{_LARGEST_SIDE}")}


def accelerator_problem(tensors: dict[str, Tensor], node: Node, config: AcceleratorConfig) -> tuple[str, str] | None:
    """(rule, remedy) of what the accelerator cannot execute of a node that golden can; None if there is nothing."""
    if isinstance(node, GlobalAveragePool) and max(tensors[node.inputs[0]].shape[1:]) > LARGEST_SAME_SIDE:
        height, width = tensors[node.inputs[0]].shape[1:]
        return f"the mean of a map of {height}×{width}", f"average maps of at most {LARGEST_SAME_SIDE}×{LARGEST_SAME_SIDE}"
    sides = tensors[node.output].shape[1:]
    if max(sides) > _LARGEST_SIDE:
        return f"a map of {sides[0]}×{sides[1]}", f"use maps of at most {_LARGEST_SIDE}×{_LARGEST_SIDE}"
    kernel = _kernel(node)
    if max(kernel) > _KERNEL_SIDE:
        return f"kernel of {kernel[0]}×{kernel[1]}", f"use sides of at most {_KERNEL_SIDE}"
    if isinstance(node, DeformConv) and node.form == "pairs" and math.prod(kernel) > config.lanes // 2:
        return f"{math.prod(kernel)} pairs of offsets", f"use at most {config.lanes // 2} taps, or the square form"
    return None


def _kernel(node: Node) -> tuple[int, ...]:
    if isinstance(node, Conv | DeformConv):
        return node.weight.shape[2:]
    return (node.kernel, node.kernel) if isinstance(node, MaxPool) else (1, 1)


def _marked(found: Import, problems: dict[str, tuple[str, str]]) -> tuple[Verdict, ...]:
    marked = [
        replace(v, status=GOLDEN, note="", rule=problems[v.name][0], remedy=problems[v.name][1])
        if v.name in problems and v.status == SUPPORTED
        else v
        for v in found.verdicts
    ]
    known = {verdict.name for verdict in found.verdicts}
    rest = [Verdict(name, "graph", GOLDEN, "", *problem) for name, problem in problems.items() if name not in known]
    return (*marked, *rest)


def _memory(graph: Graph, config: AcceleratorConfig) -> Memory:
    weights = [node for node in graph.nodes if isinstance(node, Conv | DeformConv)]
    size = sum(math.ceil(node.weight.size * node.weight_bits / 8) for node in weights)

    def words(name: str) -> int:
        channels, height, width = graph.tensors[name].shape
        return math.ceil(channels / config.lanes) * height * width

    largest = max((node.output for node in graph.nodes), key=words)
    return Memory(size, words(largest), largest, config.spad_words)
