# SPDX-License-Identifier: Apache-2.0
"""From the trained PyTorch network to the node list of `codesign.nn.nodes`, and the network's own codes for a frame.

    export_layers(model) -> list[Node]              everything lowering needs, NumPy only
    trace_codes(model, image_u8) -> dict[str, ndarray]   the Brevitas network's codes of every tensor the nodes name

`nodes.py` describes the node list. Names are module paths ('stage1.0.right.reduce'); a tensor has the name of the node
that writes it, split halves are '<unit>.split.0' and '.1', the input is 'image'. Tensor codes are int8-ranged int16
arrays [C, H, W] in the contract's convention (unsigned activations have zero point -128); integer offsets are their
own codes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from codesign.nn.blocks import Average, Branch, ConvUnit, DecoderBlock, DeformUnit, Head, ShuffleUnit, Sum
from codesign.nn.codenet import HEADS, CoDeNet, fuse
from codesign.nn.nodes import (
    AddNode,
    AverageNode,
    ConcatNode,
    ConvNode,
    DeformNode,
    InputNode,
    MaxPoolNode,
    Node,
    OutputNode,
    Quantiser,
    ShuffleNode,
    SplitNode,
    UpsampleNode,
)

IMAGE = Quantiser(1 / 128, 0)


def export_layers(model: CoDeNet) -> list[Node]:
    """Nodes in execution order. A model with live BN is folded first (running statistics)."""
    return Exporter(fuse(model)).run()


@torch.no_grad()
def trace_codes(
    model: CoDeNet, image_u8: np.ndarray, export: Callable[[CoDeNet], list[Node]] = export_layers
) -> dict[str, np.ndarray]:
    """Codes of every tensor for one frame uint8 RGB [H, W, 3], from the quantised network itself in eval mode."""
    net = fuse(model)
    names = {module: name for name, module in net.named_modules()}
    real: dict[str, Tensor] = {}

    def keep(unit: nn.Module, _inputs: object, output: Tensor) -> None:
        real[names[unit]] = output

    hooks = [m.register_forward_hook(keep) for m in net.modules() if isinstance(m, ConvUnit | Sum | Average)]
    try:
        pixels = torch.from_numpy(np.ascontiguousarray(image_u8)).permute(2, 0, 1)[None]
        net((pixels.float() - 128) / 128)
    finally:
        for hook in hooks:
            hook.remove()
    codes: dict[str, np.ndarray] = {}
    for node in export(net):
        _trace_node(node, codes, real, image_u8)
    return codes


class Exporter:
    """Walks the fused network once; keeps each tensor's quantiser."""

    def __init__(self, net: CoDeNet) -> None:
        self.net, self.nodes = net, []
        self.names = {module: name for name, module in net.named_modules()}
        self.quant: dict[str, Quantiser] = {"image": IMAGE}

    def run(self) -> list[Node]:
        net = self.net
        self.nodes.append(InputNode("image", "image", (3, *net.config.input_size), IMAGE))
        x = self.conv(net.stem, "image")
        if net.config.stem == "s2max":
            x = self.move(MaxPoolNode("stem.pool", x, "stem.pool"), x, "stem.pool")
        for stage in (net.stage1, net.stage2, net.stage3):
            for unit in stage:
                x = self.shuffle_unit(unit, x)
        x = self.conv(net.last, x)
        for block in (net.decoder1, net.decoder2, net.decoder3):
            x = self.decoder(block, x)
        ends = [(name, self.head(getattr(net, name), x)) for name in HEADS]
        self.nodes += [OutputNode(name, tensor, self.quant[tensor]) for name, tensor in ends]
        return self.nodes

    def move(self, node: Node, source: str, output: str) -> str:
        """Append a node that keeps codes as they are."""
        self.nodes.append(node)
        self.quant[output] = self.quant[source]
        return output

    def conv(self, unit: ConvUnit, x: str) -> str:
        name, conv = self.names[unit], unit.conv
        kind = "depthwise" if conv.groups > 1 else ("pointwise" if conv.kernel_size == (1, 1) else "full")
        codes, scale, bias = _weights(unit)
        self.quant[name] = unit.act.spec()
        self.nodes.append(
            ConvNode(name, kind, x, name, codes, unit.bits, scale, bias, conv.stride[0], conv.padding[0], conv.groups,
                     self.quant[x], self.quant[name])  # fmt: skip
        )
        return name

    def deform(self, unit: DeformUnit, x: str, offset: str) -> str:
        name = self.names[unit]
        codes, scale, bias = _weights(unit)
        self.quant[name] = unit.act.spec()
        self.nodes.append(
            DeformNode(name, unit.operator, int(unit.bound), x, offset, name, codes, unit.bits, scale, bias,
                       self.quant[x], self.quant[offset], self.quant[name])  # fmt: skip
        )
        return name

    def branch(self, branch: Branch, x: str) -> str:
        if branch.reduce is not None:
            x = self.conv(branch.reduce, x)
        return self.conv(branch.expand, self.conv(branch.depthwise, x))

    def shuffle_unit(self, unit: ShuffleUnit, x: str) -> str:
        name = self.names[unit]
        if unit.left is None:
            left, work = f"{name}.split.0", f"{name}.split.1"
            self.move(SplitNode(f"{name}.split", x, (left, work)), x, left)
            self.quant[work] = self.quant[x]
        else:
            left, work = self.branch(unit.left, x), x
        right = self.branch(unit.right, work)
        joined = self.move(ConcatNode(f"{name}.concat", (left, right), f"{name}.concat"), left, f"{name}.concat")
        return self.move(ShuffleNode(f"{name}.shuffle", joined, f"{name}.shuffle"), joined, f"{name}.shuffle")

    def taps(self, block: DecoderBlock, x: str) -> str:
        if block.offset is None:
            return self.conv(block.depthwise, x)
        return self.deform(block.depthwise, x, self.conv(block.offset, x))

    def decoder(self, block: DecoderBlock, x: str) -> str:
        if block.deform_first:
            x = self.conv(block.pointwise, self.taps(block, x))
        else:
            x = self.taps(block, self.conv(block.pointwise, x))
        up = f"{self.names[block]}.upsample"
        return self.move(UpsampleNode(up, x, up), x, up)

    def head(self, head: Head, x: str) -> str:
        return self.conv(head.last, self.conv(head.depthwise, self.conv(head.first, x)))


@torch.no_grad()
def _weights(unit: ConvUnit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes int8, scale float64 [Cout] and bias float64 [Cout] of a fused unit, from Brevitas itself."""
    quant = unit.conv.quant_weight()
    scale = quant.scale.double().flatten().expand(unit.conv.weight.shape[0])
    codes = torch.round(quant.value.double() / scale.view(-1, 1, 1, 1)).to(torch.int8)
    return np.ascontiguousarray(codes.numpy()), scale.numpy().copy(), unit.conv.bias.double().numpy().copy()


def _trace_node(node: Node, codes: dict[str, np.ndarray], real: dict[str, Tensor], image: np.ndarray) -> None:
    """Fill in the tensors one node writes: conv outputs as Brevitas gave them, moves as moves."""
    if isinstance(node, InputNode):
        codes["image"] = image.transpose(2, 0, 1).astype(np.int16) - 128
    elif isinstance(node, (ConvNode, DeformNode, AddNode, AverageNode)):
        q = node.out_quant
        values = real[node.output][0].double().numpy() / q.scale
        codes[node.output] = (np.rint(values) + q.zero_point).astype(np.int16)
    elif isinstance(node, SplitNode):
        codes[node.outputs[0]], codes[node.outputs[1]] = np.split(codes[node.input], 2)
    elif isinstance(node, ConcatNode):
        codes[node.output] = np.concatenate([codes[n] for n in node.inputs])
    elif isinstance(node, ShuffleNode):
        c, h, w = codes[node.input].shape
        codes[node.output] = (
            codes[node.input].reshape(node.groups, c // node.groups, h, w).swapaxes(0, 1).reshape(c, h, w)
        )
    elif isinstance(node, MaxPoolNode):
        codes[node.output] = _max_pool(codes[node.input], node)
    elif isinstance(node, UpsampleNode):
        codes[node.output] = codes[node.input].repeat(node.factor, 1).repeat(node.factor, 2)


def _max_pool(x: np.ndarray, node: MaxPoolNode) -> np.ndarray:
    pad = np.pad(x, ((0, 0), (node.pad, node.pad), (node.pad, node.pad)), constant_values=np.iinfo(np.int16).min)
    windows = np.lib.stride_tricks.sliding_window_view(pad, (node.kernel, node.kernel), axis=(1, 2))
    return windows[:, :: node.stride, :: node.stride].max(axis=(3, 4))
