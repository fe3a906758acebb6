# SPDX-License-Identifier: Apache-2.0
"""The integer graph as ONNX operators, node by node."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import onnx

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
    Shuffle,
    Slice,
    Upsample,
)  # fmt: skip
from codesign.graph.meta import DETECTOR
from codesign.numeric import CODE_MAX, CODE_MIN
from codesign.onnx.export.constants import conv_biases, conv_scales, settled_channels
from codesign.onnx.export.message import Message
from codesign.onnx.export.scales import MOVES, single_scales
from codesign.onnx.export.style import Style
from codesign.onnx.normalise import ABOUT


@dataclass(frozen=True, eq=False)
class Written:
    """The model, and by tensor of the graph the name of the tensor that importing makes of it."""

    proto: onnx.ModelProto
    names: dict[str, str]


class Writer:
    """``_reals`` names the ONNX tensor with a tensor's real values."""

    def __init__(self, graph: Graph, style: Style):
        self._graph, self._style = graph, style
        self._tensors = single_scales(graph)
        self._roles: dict[str, list[str]] = {}
        for role, name in graph.outputs.items():
            self._roles.setdefault(name, []).append(role)
        if graph.input.name in graph.outputs:
            raise UserError(f"output {graph.input.name!r} has the input's name; rename it")
        taken = {graph.input.name, *graph.outputs}
        self._message = Message(taken, (node.name for node in graph.nodes))
        self._reals: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def write(self) -> Written:
        """All nodes and outputs."""
        graph, message = self._graph, self._message
        self._input(graph.input.name)
        for node in graph.nodes:
            _WRITE[type(node)](self, node)
        for role, name in graph.outputs.items():
            if self._reals[name] != role:
                message.op("Identity", [self._reals[name]], role)
        deformable = any(isinstance(node, DeformConv) for node in graph.nodes)
        outputs = {role: (1, *self._tensors[name].shape) for role, name in graph.outputs.items()}
        known = {key: graph.meta[key] for key in DETECTOR if key in graph.meta}
        about = {ABOUT: json.dumps(known)} if known else {}
        proto = message.model(
            {graph.input.name: (1, *graph.input.shape)}, outputs, self._style.opsets(deformable), about
        )
        return Written(proto, self._names)

    def _input(self, name: str) -> None:
        codes, real = (self._message.tensor(f"{name}.{what}") for what in ("codes", "real"))
        self._names[name] = self._style.activation(self._message, name, self._tensors[name], codes, real)
        self._reals[name] = real

    def _finish(self, node: Node, source: str, lo: int, hi: int) -> None:
        """Clamp where the codes' range does not do it, then quantise ``source`` as the node's output."""
        tensor, message = self._tensors[node.output], self._message
        if (lo, hi) != (CODE_MIN, CODE_MAX):
            clamped = message.tensor(f"{node.name}.clipped")
            if (lo, hi) == (tensor.zero_point, CODE_MAX):
                source = message.op("Relu", [source], clamped)
            else:
                ends = [np.float32((code - tensor.zero_point) * tensor.scale) for code in (lo, hi)]
                given = [message.constant(f"{node.name}.{what}", end) for what, end in zip(("least", "greatest"), ends)]
                source = message.op("Clip", [source, *given], clamped)
        codes, real = self._quantised_names(node.output)
        self._names[node.output] = self._style.activation(message, source, tensor, codes, real)
        self._reals[node.output] = real

    def _quantised_names(self, output: str) -> tuple[str, str]:
        """(of the codes, of the reals): the tensor's own name is the codes', or the reals' where there are no codes."""
        roles, message = self._roles.get(output, []), self._message
        if not self._style.has_codes:
            return "", output if output in roles else message.tensor(output)
        return message.tensor(output), roles[0] if roles else message.tensor(f"{output}.real")

    def conv(self, node: Conv | DeformConv) -> None:
        """A convolution with its bias, which may need a second addition to be exact."""
        source, message = self._tensors[node.inputs[0]], self._message
        output, weight = self._tensors[node.output].scale, node.weight
        m, s, b = requant = settled_channels(weight, (node.requant.multiplier, node.requant.shift, node.requant.bias))
        alive = weight.reshape(weight.shape[0], -1).any(axis=1)
        scale = conv_scales(m, s, alive, source.scale, output, node.name)
        first, rest = conv_biases(weight, requant, scale, source, output, node.name)
        weights = self._style.weight(message, node.name, weight, scale, node.weight_bits)
        bias = [message.constant(f"{node.name}.bias", first)] if first.any() else []
        made = message.tensor(f"{node.name}.sum")
        kernel = list(weight.shape[2:])
        if isinstance(node, DeformConv):
            given = [self._reals[node.inputs[0]], weights, self._offsets(node), *bias]
            pads = [kernel[0] // 2, kernel[1] // 2] * 2
            message.op("DeformConv", given, made, node.name, kernel_shape=kernel, pads=pads, group=weight.shape[0], offset_group=1)
        else:
            layout = {"strides": [node.stride] * 2, "pads": [node.pad] * 4, "group": node.groups}
            message.op("Conv", [self._reals[node.inputs[0]], weights, *bias], made, node.name, kernel_shape=kernel, **layout)
        if rest.any():
            term = message.constant(f"{node.name}.bias.rest", rest.reshape(1, -1, 1, 1))
            made = message.op("Add", [made, term], message.tensor(f"{node.name}.biased"))
        self._finish(node, made, node.requant.lo, node.requant.hi)

    def _offsets(self, node: DeformConv) -> str:
        """Pairs as they are; a distance d as (d - 1) times each tap's place (y, x) from the centre."""
        offsets, message = self._reals[node.inputs[1]], self._message
        if node.form == "pairs":
            return offsets
        kh, kw = node.weight.shape[2:]
        places = [(y - kh // 2, x - kw // 2) for y in range(kh) for x in range(kw)]
        grid = message.constant(f"{node.name}.places", np.array(places, np.float32).reshape(1, -1, 1, 1))
        one = message.constant(f"{node.name}.one", np.float32(1))
        grown = message.op("Sub", [offsets, one], message.tensor(f"{node.name}.grown"))
        return message.op("Mul", [grown, grid], message.tensor(f"{node.name}.offsets"))

    def add(self, node: Add) -> None:
        """A sum of two reals."""
        made = self._message.tensor(f"{node.name}.sum")
        self._message.op("Add", [self._reals[name] for name in node.inputs], made, node.name)
        self._finish(node, made, node.lo, node.hi)

    def mean(self, node: GlobalAveragePool) -> None:
        """An average of reals."""
        made = self._message.tensor(f"{node.name}.mean")
        self._message.op("GlobalAveragePool", [self._reals[node.inputs[0]]], made, node.name)
        self._finish(node, made, node.requant.lo, node.requant.hi)

    def moved(self, node: Node) -> None:
        """An operator that moves codes, and reals just so."""
        output, message = node.output, self._message
        made = output if output in self._roles.get(output, []) else message.tensor(output)
        given = [self._reals[name] for name in node.inputs]
        shape = self._tensors[node.inputs[0]].shape
        match node:
            case MaxPool():
                sides = {"kernel_shape": [node.kernel] * 2, "strides": [node.stride] * 2, "pads": [node.pad] * 4}
                message.op("MaxPool", given, made, node.name, **sides)
            case Upsample():
                given += ["", message.constant(f"{node.name}.scales", np.array([1, 1, 2, 2], np.float32))]
                how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
                message.op("Resize", given, made, node.name, **how)
            case Slice():
                ends = {"starts": node.start, "ends": node.stop, "axes": 1}
                given += [message.constant(f"{node.name}.{what}", np.array([end], np.int64)) for what, end in ends.items()]
                message.op("Slice", given, made, node.name)
            case Concat():
                message.op("Concat", given, made, node.name, axis=1)
            case Shuffle():
                self._shuffle(node, given[0], shape, made)
        self._reals[output] = self._names[output] = made

    def _shuffle(self, node: Shuffle, source: str, shape: tuple[int, int, int], made: str) -> None:
        channels, height, width = shape
        message = self._message
        sides = {"grouped": [1, node.groups, channels // node.groups, height, width], "shape": [1, channels, height, width]}
        grouped, flat = (message.constant(f"{node.name}.{what}", np.array(side, np.int64)) for what, side in sides.items())
        apart = message.op("Reshape", [source, grouped], message.tensor(f"{node.name}.apart"))
        turned = message.op("Transpose", [apart], message.tensor(f"{node.name}.turned"), perm=[0, 2, 1, 3, 4])
        message.op("Reshape", [turned, flat], made, node.name)


_WRITE = {
    Conv: Writer.conv, DeformConv: Writer.conv, Add: Writer.add, GlobalAveragePool: Writer.mean,
    **dict.fromkeys(MOVES, Writer.moved),
}  # fmt: skip
