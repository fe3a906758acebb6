# SPDX-License-Identifier: Apache-2.0
"""How long ONNX Runtime takes for a frame of the same network in floating point. onnxruntime is optional."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass

import numpy as np

from codesign.graph.ir import Graph

INSTALL = "pip install 'codesign[bench]'"
WARM_UP, RUNS, SECONDS = 2, 20, 5.0


@dataclass(frozen=True)
class FloatTime:
    """Median ``seconds`` of a frame on ``threads`` threads, or None with the ``reason``."""

    seconds: float | None
    threads: int
    version: str
    reason: str = ""


def runtime_version() -> str:
    """Of the installed ONNX Runtime; empty where there is none."""
    try:
        import onnxruntime
    except ImportError:
        return ""
    return str(onnxruntime.__version__)


def float_time(graph: Graph, image: np.ndarray) -> FloatTime:
    """Time frames of ``image``, int8 codes (3, H, W)."""
    version = runtime_version()
    if not version:
        return FloatTime(None, 0, "", f"onnxruntime is not installed: {INSTALL}")
    try:
        seconds = _median(graph, image)
    except Exception as error:  # it has its own exceptions, one for every kind of status
        return FloatTime(None, 0, version, f"ONNX Runtime {version} cannot run it: {' '.join(str(error).split())[:120]}")
    return FloatTime(seconds, len(os.sched_getaffinity(0)), version)


def _median(graph: Graph, image: np.ndarray) -> float:
    session = float_session(graph)
    given = {graph.input.name: real_image(graph, image)}
    for _ in range(WARM_UP):
        session.run(None, given)
    times: list[float] = []
    while len(times) < RUNS and (len(times) < 3 or sum(times) < SECONDS):
        began = time.perf_counter()
        session.run(None, given)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def float_session(graph: Graph):  # type: ignore[no-untyped-def]
    """An ONNX Runtime session of `float_model` on the processor, one thread per core."""
    import onnxruntime

    from codesign.bench.float_onnx import float_model

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.log_severity_level = 3
    data = float_model(graph).SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def real_image(graph: Graph, image: np.ndarray) -> np.ndarray:
    """float32 (1, 3, H, W) of the input's codes."""
    return ((image.astype(np.float32) - graph.input.zero_point) * np.float32(graph.input.scale))[None]
