# SPDX-License-Identifier: Apache-2.0
"""One configuration, from lowering to a simulated frame that is compared value by value, every stage timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from codesign.bench.float_time import float_time
from codesign.boards import Board
from codesign.build.options import BuildOptions
from codesign.graph.count import mac_count, parameter_count
from codesign.graph.ir import Graph
from codesign.nn.zoo import ZOO
from codesign.report.layers import pointwise_macs

RUNS, RUN_SECONDS = 3, 10.0  #: the fastest of so many runs is a stage's time; no further one after so many seconds


@dataclass(frozen=True)
class Row:
    """Figures of one configuration. Cycles and what follows from them are simulated; times are this machine's.

    ``lower_seconds`` (like all times, the fastest of a few runs) is the Brevitas network (the shipped one, or an untrained one) to the integer graph;
    ``float_seconds`` is None with the ``float_reason`` where ONNX Runtime did not run.
    """

    config: str
    weights: str
    input: tuple[int, int]
    params: int
    macs: int
    cycles: int
    clock_mhz: float
    fps: float
    mac_efficiency: float
    array_efficiency: float
    predicted_cycles: int
    values: int
    mismatches: int
    first_difference: str
    read_bytes: int
    write_bytes: int
    simulation_seconds: float
    kcycles_per_s: float
    golden_seconds: float
    float_seconds: float | None
    float_threads: int
    float_version: str
    float_reason: str
    lower_seconds: float
    plan_seconds: float
    kept: bool = False


class Progress:
    """Hears how a measurement goes; this one is silent."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def ended(self, name: str, text: str) -> None:
        """A stage ended, with what it found."""

    def cycles(self, predicted: int) -> AbstractContextManager[Callable[[int], None]]:
        """While a frame is simulated; what it gives is called with the cycles so far."""
        return _silent()


@contextmanager
def _silent() -> Iterator[Callable[[int], None]]:
    yield lambda cycles: None


def measure(options: BuildOptions, board: Board, library: Path, progress: Progress) -> Row:
    """Measure the configuration of ``options`` on ``board``, whose simulator is ``library``."""
    from codesign import golden
    from codesign.build.steps.lower import lowered, picture
    from codesign.plan import plan
    from codesign.plan.latency import predict

    config = board.accelerator
    lower = _lowering(options)
    graph, lower_seconds = _timed(progress, "lowering", lower)
    if options.trained_model is None:
        graph, _ = _timed(progress, "calibrating random weights", lambda: lowered(options), runs=1)
    codes = golden.image_codes(picture(options, graph)[0])
    expected, golden_seconds = _timed(progress, "golden", lambda: golden.run(graph, codes))
    planned, plan_seconds = _timed(progress, "planning", lambda: plan(graph, config, board.dram))
    floats = _float(graph, codes, progress)
    predicted = predict(planned.program, board.dram).cycles
    frame, result = _simulate(library, planned, board, graph, codes, expected, predicted, progress)
    macs, cycles = mac_count(graph), frame.cycles
    return Row(
        config=options.config,
        weights="random" if options.trained_model is None else options.trained_model.stem,
        input=(graph.input.shape[1], graph.input.shape[2]),
        params=parameter_count(graph),
        macs=macs,
        cycles=cycles,
        clock_mhz=board.clock_mhz,
        fps=board.clock_mhz * 1e6 / cycles,
        mac_efficiency=macs / ((config.array_macs + config.depthwise_macs) * cycles),
        array_efficiency=pointwise_macs(graph) / (config.array_macs * cycles),
        predicted_cycles=predicted,
        values=result.values,
        mismatches=result.mismatches,
        first_difference=str(result.first) if result.first else "",
        read_bytes=frame.read_bytes,
        write_bytes=frame.write_bytes,
        simulation_seconds=frame.seconds,
        kcycles_per_s=cycles / frame.seconds / 1e3,
        golden_seconds=golden_seconds,
        float_seconds=floats.seconds,
        float_threads=floats.threads,
        float_version=floats.version,
        float_reason=floats.reason,
        lower_seconds=lower_seconds,
        plan_seconds=plan_seconds,
    )


def _lowering(options: BuildOptions) -> Callable[[], Graph]:
    """What lowers the Brevitas network: the trained one, or an untrained one of the same shape."""
    from codesign.lower.from_brevitas import lower
    from codesign.nn.codenet import CoDeNet
    from codesign.nn.config import named_config
    from codesign.nn.model_file import load_model

    if options.trained_model is None and options.config in ZOO:
        from codesign.lower.from_zoo import lower_zoo
        from codesign.nn.export_zoo import zoo_network

        model = zoo_network(ZOO[options.config]).eval()
        return lambda: lower_zoo(model)
    if options.trained_model is None:
        untrained = CoDeNet(named_config(options.config)).eval()
        return lambda: lower(untrained)
    network, info = load_model(options.trained_model)
    return lambda: lower(network, None, info.labels, options.config)


def _float(graph: Graph, codes: np.ndarray, progress: Progress):  # type: ignore[no-untyped-def]
    progress.stage("ONNX Runtime, float")
    floats = float_time(graph, codes)
    shown = floats.reason if floats.seconds is None else f"{1e3 * floats.seconds:,.1f} ms a frame, {floats.threads} threads"
    progress.ended("ONNX Runtime, float", shown)
    return floats


def _simulate(library, planned, board, graph, codes, expected, predicted, progress):  # type: ignore[no-untyped-def]
    from codesign.verify import compare, run_frame

    with progress.cycles(predicted) as report:
        frame = run_frame(library, planned.program, board, codes, progress=report)
    result = compare(planned, graph, expected, frame)
    progress.ended("simulation", f"{frame.cycles:,} cycles in {frame.seconds:.1f} s, {result.mismatches:,} of {result.values:,} values differ")
    return frame, result


def _timed(progress: Progress, name: str, work: Callable[[], Any], runs: int = RUNS) -> tuple[Any, float]:
    """What ``work`` gives, and the seconds of its fastest run: `RUNS` of them, fewer where they take long."""
    progress.stage(name)
    times: list[float] = []
    while len(times) < runs and sum(times) < RUN_SECONDS:
        began = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - began)
    progress.ended(name, f"{min(times):.2f} s")
    return found, min(times)
