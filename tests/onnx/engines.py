# SPDX-License-Identifier: Apache-2.0
"""Other engines that run ONNX models, every tensor kept: qonnx's executor and ONNX Runtime without graph optimisations."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def qonnx_reals(path: Path, image: np.ndarray, names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Every tensor as qonnx computes it, float; ``names`` is not needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        model = ModelWrapper(str(path)).transform(InferShapes())
        return execute_onnx(model, {model.graph.input[0].name: image}, return_full_exec_context=True)


def runtime_tensors(path: Path, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """The tensors ``names`` as ONNX Runtime computes them; unsigned codes as int8, less 128."""
    model = onnx.load(str(path))
    have = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in have)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # unused constants are not worth a line each
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = dict(zip(names, session.run(names, {model.graph.input[0].name: image})))
    return {name: codes.view(np.int8) ^ -128 if codes.dtype == np.uint8 else codes for name, codes in found.items()}
