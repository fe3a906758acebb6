# SPDX-License-Identifier: Apache-2.0
"""The network of an integer graph in floating point, as ONNX: what a processor would run instead.

Weights and biases are the reals that codes and requantisation stand for; activations are not quantised, ReLU and the
rounding of offsets to whole pixels stay. Needs onnx.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codesign.errors import UserError
from codesign.graph.ir import (
    Add,
    Concat,
    Conv,
    DeformConv,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Node,
    Requant,
    Shuffle,
    Slice,
    Upsample,
)

OPSET, IR_VERSION = 22, 10


def float_model(graph: Graph) -> onnx.ModelProto:
    """Input "image" float32 (1, 3, H, W), (pixel - 128) / 128; outputs by the graph's roles, float32 (1, C, h, w)."""
    builder = _Builder(graph)
    for node in graph.nodes:
        builder.add(node)
    outputs = []
    for role, name in graph.outputs.items():
        if role != name:
            builder.emit("Identity", [name], role)
        outputs.append(helper.make_tensor_value_info(role, TensorProto.FLOAT, [1, *graph.tensors[name].shape]))
    given = helper.make_tensor_value_info(graph.input.name, TensorProto.FLOAT, [1, *graph.input.shape])
    body = helper.make_graph(builder.nodes, "codesign", [given], outputs, builder.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


class _Builder:
    """Collects ONNX nodes and constants."""

    def __init__(self, graph: Graph):
        self._tensors = {graph.input.name: graph.input, **graph.tensors}
        self._offsets = {node.inputs[1] for node in graph.nodes if isinstance(node, DeformConv)}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def emit(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: Any, kind: type = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def add(self, node: Node) -> None:
        """One node of the graph; every one writes the tensor of its own name."""
        source, out = node.inputs[0], node.output
        match node:
            case DeformConv():
                self._deform(node)
            case Conv():
                self._convolution(node)
            case MaxPool():
                shape = {"kernel_shape": [node.kernel] * 2, "strides": [node.stride] * 2, "pads": [node.pad] * 4}
                self.emit("MaxPool", [source], out, **shape)
            case Upsample():
                scales = self.constant(f"{out}/scales", [1, 1, 2, 2])
                how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                self.emit("Resize", [source, "", scales], out, **how)
            case Slice():
                ends = [self.constant(f"{out}/{n}", [v], np.int64) for n, v in (("a", node.start), ("b", node.stop), ("c", 1))]
                self.emit("Slice", [source, *ends], out)
            case Concat():
                self.emit("Concat", list(node.inputs), out, axis=1)
            case Shuffle():
                self._shuffle(node)
            case Add():
                self.emit("Add", list(node.inputs), out)
            case GlobalAveragePool():
                self.emit("GlobalAveragePool", [source], out)
            case _:
                raise UserError(f"{node.name}: {type(node).__name__} has no floating-point form here")

    def _shuffle(self, node: Shuffle) -> None:
        channels, height, width = self._tensors[node.output].shape
        out, groups = node.output, node.groups
        split = self.constant(f"{out}/split", [1, groups, channels // groups, height, width], np.int64)
        joined = self.constant(f"{out}/joined", [1, channels, height, width], np.int64)
        self.emit("Reshape", [node.inputs[0], split], f"{out}/5d")
        self.emit("Transpose", [f"{out}/5d"], f"{out}/swapped", perm=[0, 2, 1, 3, 4])
        self.emit("Reshape", [f"{out}/swapped", joined], out)

    def _weights(self, node: Conv | DeformConv) -> list[str]:
        """Names of the real weights and biases."""
        source, target = self._tensors[node.inputs[0]], self._tensors[node.output]
        weight, bias = real_weights(node.weight, node.requant, (source.scale, source.zero_point), target.scale)
        return [self.constant(f"{node.output}/weight", weight), self.constant(f"{node.output}/bias", bias)]

    def _convolution(self, node: Conv) -> None:
        weight, bias = self._weights(node)
        shape = {"kernel_shape": list(node.weight.shape[2:]), "strides": [node.stride] * 2, "pads": [node.pad] * 4}
        self.emit("Conv", [node.inputs[0], weight, bias], f"{node.output}/sum", group=node.groups, **shape)
        self._activate(node)

    def _activate(self, node: Conv | DeformConv) -> None:
        """ReLU where codes below real zero are cut; offsets are whole pixels within their bound."""
        requant, out = node.requant, node.output
        if out in self._offsets:
            ends = [self.constant(f"{out}/{name}", end) for name, end in (("lo", requant.lo), ("hi", requant.hi))]
            self.emit("Round", [f"{out}/sum"], f"{out}/whole")
            self.emit("Clip", [f"{out}/whole", *ends], out)
        else:
            self.emit("Relu" if requant.lo == requant.zero_point else "Identity", [f"{out}/sum"], out)

    def _deform(self, node: DeformConv) -> None:
        out, kernel = node.output, node.weight.shape[2:]
        weight, bias = self._weights(node)
        pads = [kernel[0] // 2, kernel[1] // 2] * 2
        inputs = [node.inputs[0], weight, self._distances(node), bias]
        self.emit("DeformConv", inputs, f"{out}/sum", group=node.weight.shape[0], kernel_shape=list(kernel), pads=pads)
        self._activate(node)

    def _distances(self, node: DeformConv) -> str:
        """Offsets as ONNX has them: dy, dx of every tap from its regular place; a square's grow with d - 1."""
        offsets = node.inputs[1]
        if node.form == "pairs":
            return offsets
        height, width = node.weight.shape[2:]
        grid = [(y - height // 2, x - width // 2) for y in range(height) for x in range(width)]
        grown = self.emit("Sub", [offsets, self.constant(f"{node.output}/one", 1.0)], f"{node.output}/grown")
        steps = self.constant(f"{node.output}/steps", np.array(grid).reshape(1, -1, 1, 1))
        return self.emit("Mul", [grown, steps], f"{node.output}/distances")


def real_weights(
    codes: np.ndarray, requant: Requant, source: tuple[float, int], scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Float weights and biases [C] of integer ones; ``source`` is the input's scale and zero point, ``scale`` the output's."""
    unit = np.exp2(-requant.shift.astype(np.float64)) * scale
    weight = codes * (requant.multiplier * unit / source[0]).reshape(-1, 1, 1, 1)
    sums = codes.reshape(len(codes), -1).astype(np.float64).sum(axis=1)
    return weight, (requant.bias + requant.multiplier * source[1] * sums) * unit
