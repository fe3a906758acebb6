# SPDX-License-Identifier: Apache-2.0
"""Differential fuzzing: random layers × random DRAM stalls, every value of RTL against golden.

    python -m codesign.verify.fuzz --cases 1000 --seed 0

A case is its seed: the same seed gives the same graph, input and stalls.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codesign.boards import Board, load_board
from codesign.errors import UserError
from codesign.golden import run
from codesign.graph.ir import Graph
from codesign.lower.random_layers import random_codes, random_layer_graph
from codesign.plan import plan
from codesign.program.config import AcceleratorConfig
from codesign.verify.compare import compare
from codesign.verify.frame import run_frame

#: The configuration that is fuzzed: every path of the default one, but small enough to simulate fast.
CONFIG = AcceleratorConfig(
    lanes=32, array_out=8, depthwise_units=2, spad_words=2048, acc_depth=64, spad_banks=4
)


@dataclass(frozen=True)
class Case:
    """Outcome of one seed: ``values`` compared; ``problem`` empty when all agree, ``refused`` if planning declined."""

    seed: int
    kinds: tuple[str, ...]
    values: int
    cycles: int
    problem: str
    refused: bool


def library(
    config: AcceleratorConfig, folder: Path | None = None, log: Callable[[str], None] = lambda _: None
) -> Path:
    """The Verilated accelerator of ``config``."""
    from hw.generate import verilog
    from sim.verilate import build

    return build(verilog(config, monitors=True), config, folder, log)


def cases(built: Path, board: Board, seeds: Iterator[int] | range) -> Iterator[Case]:
    """Run the seeds one after another."""
    for seed in seeds:
        yield run_case(built, board, seed)


def run_case(built: Path, board: Board, seed: int) -> Case:
    """One random graph through ``built``, a library of ``board.accelerator``; odd seeds add DRAM stalls."""
    rng = np.random.default_rng(seed)
    graph = random_layer_graph(rng)
    kinds = tuple(type(node).__name__ for node in graph.nodes)
    try:
        planned = plan(graph, board.accelerator, board.dram)
    except UserError as error:
        return Case(seed, kinds, 0, 0, str(error), True)
    codes = random_codes(graph, seed)
    stall = 0.3 * (seed % 2)
    try:
        frame = run_frame(built, planned.program, board, codes, stall=stall, seed=seed, max_cycles=5_000_000)
    except (UserError, RuntimeError) as error:
        return Case(seed, kinds, 0, 0, str(error), False)
    return _compare(seed, kinds, planned, graph, codes, frame)


def _compare(seed: int, kinds: tuple[str, ...], planned, graph: Graph, codes: np.ndarray, frame) -> Case:
    result = compare(planned, graph, run(graph, codes), frame)
    problem = f"{result.mismatches} mismatches; {result.first}" if result.mismatches else ""
    return Case(seed, kinds, result.values, frame.cycles, problem, False)


def main(arguments: list[str] | None = None) -> int:
    """Command line: exit code 1 when a case differs."""
    parser = argparse.ArgumentParser(description="RTL against golden on random layers")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--board", default="pynq-z2", help="whose DRAM model is used")
    options = parser.parse_args(arguments)
    board = replace(load_board(options.board), accelerator=CONFIG)
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        built = library(CONFIG, Path(folder), print)
        for case in cases(built, board, range(options.seed, options.seed + options.cases)):
            tally["refused" if case.refused else "different" if case.problem else "equal"] += 1
            tally["values"] += case.values
            tally["cycles"] += case.cycles
            if case.problem and not case.refused:
                print(f"seed {case.seed} ({', '.join(case.kinds)}): {case.problem}")
            if sum(tally[k] for k in ("refused", "different", "equal")) % 100 == 0:
                print(dict(tally), flush=True)
    print(f"{tally['equal']} cases equal, {tally['different']} different, {tally['refused']} refused by the planner; "
          f"{tally['values']:,} values, {tally['cycles']:,} cycles")  # fmt: skip
    return 1 if tally["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
