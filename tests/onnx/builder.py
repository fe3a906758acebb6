# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models for tests: operators are appended one by one, constants are arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class Builder:
    """A model with the float input "image" (1, C, H, W). Methods append a node and return its output's name."""

    def __init__(self, channels: int = 3, size: int = 8, opset: int = 20, shape: tuple[Any, ...] | None = None):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._shape = shape or (1, channels, size, size)
        self._opset = opset
        self._rng = np.random.default_rng(0)

    def op(self, kind: str, inputs: list[str | np.ndarray], name: str = "", outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """One node; its name, or a number, names the outputs too."""
        name = name or f"{kind.lower()}{len(self.nodes)}"
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        out = [f"{name}.out" if i == 0 else f"{name}.out{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, out, name=name, domain=domain, **attributes))
        return out[0] if outputs == 1 else out

    def constant(self, array: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def quant(self, source: str | np.ndarray, scale: Any = 1 / 32, zero: float = 0, bits: int = 8, name: str = "", **attributes: Any) -> str:
        """A QONNX Quant, signed unless told otherwise."""
        numbers = [np.asarray(v, np.float32) for v in (scale, zero, bits)]
        settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
        return self.op("Quant", [source, *numbers], name, domain=QONNX, **settings)

    def relu_quant(self, source: str, scale: float = 1 / 32) -> str:
        """Relu, then unsigned codes."""
        return self.quant(self.op("Relu", [source]), scale, signed=0)

    def weights(self, *shape: int, bits: int = 4) -> str:
        """Random weights behind a per-channel Quant."""
        scale = self._rng.uniform(0.01, 0.05, (shape[0], *[1] * (len(shape) - 1)))
        values = self._rng.normal(0, 3, shape).astype(np.float32) * scale.astype(np.float32)
        return self.quant(values, scale, bits=bits, narrow=1)

    def conv(self, source: str, cin: int, cout: int, kernel: int = 1, group: int = 1, name: str = "", **attributes: Any) -> str:
        """A convolution that keeps the size unless told otherwise."""
        settings = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4} | attributes
        weight = self.weights(cout, cin // group, kernel, kernel)
        return self.op("Conv", [source, weight], name, group=group, **settings)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The whole model; outputs are of whatever shape they are."""
        given = helper.make_tensor_value_info("image", TensorProto.FLOAT, self._shape)
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in outputs]
        graph = helper.make_graph(self.nodes, "test", [given], made, self.constants)
        opsets = [helper.make_opsetid("", self._opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def save(self, path: Path, *outputs: str) -> Path:
        """`model`, in a file."""
        path.write_bytes(self.model(*outputs).SerializeToString())
        return path
