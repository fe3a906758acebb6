# SPDX-License-Identifier: Apache-2.0
"""The trained network as an integer graph. Nothing is clipped: what the contract cannot hold is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from codesign.errors import UserError
from codesign.graph.count import parameter_count
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
    Tensor,
    Upsample,
)
from codesign.graph.rules import check, output_shape
from codesign.nn import nodes as nn_nodes
from codesign.numeric import ACC_BITS, add_parameters, normalise_multiplier, requant_parameters

if TYPE_CHECKING:
    from codesign.nn.codenet import CoDeNet


def lower(
    model: CoDeNet,
    size: tuple[int, int] | None = None,
    labels: Sequence[str] = (),
    config: str = "custom",
    trained: bool = True,
    acc_bits: int = ACC_BITS,
    fit: str = "stretch",
) -> Graph:
    """The checked integer graph of a quantised network; ``model`` is not changed.

    ``size`` (height, width) overrides the trained input's; sides are multiples of 32. ``labels`` name the classes,
    ``config`` the published configuration, ``fit`` how training fitted pictures to the input. Raises UserError with layer, channel, value and remedy where an
    accumulator exceeds ``acc_bits`` or a requantisation field cannot hold its value.
    """
    from codesign.nn.export import export_layers

    settings = model.config
    height, width = size or settings.input_size
    if height < 32 or width < 32 or height % 32 or width % 32:
        raise UserError(f"input of {height}x{width}: both sides must be multiples of 32")
    if settings.operator != "plain" and settings.rounding != "integer":
        raise UserError("the network samples bilinearly; train it with rounding 'integer' to lower it")
    names = list(labels) or [f"class{i}" for i in range(settings.classes)]
    if len(names) != settings.classes:
        raise UserError(f"{len(names)} labels for {settings.classes} classes; give one for each")
    meta = {
        "config": config,
        "classes": settings.classes,
        "labels": names,
        "weight_bits": settings.weight_bits,
        "layer_bits": [list(pair) for pair in settings.layer_bits],
        "act_bits": 8,
        "form": settings.operator,
        "bound": settings.bound,
        "trained": trained,
        "fit": fit,
    }
    return graph_from_layers(export_layers(model), (height, width), meta, acc_bits)


def graph_from_layers(
    layers: Sequence[nn_nodes.Node], size: tuple[int, int], meta: dict, acc_bits: int = ACC_BITS
) -> Graph:
    """A checked graph from exported layers, for an input of ``size`` (height, width). Errors as in `lower`."""
    source = next(layer for layer in layers if isinstance(layer, nn_nodes.InputNode))
    quant = source.out_quant
    image = Tensor(source.output, (source.shape[0], *size), quant.scale, quant.zero_point)
    tensors = {image.name: image}
    nodes: list[Node] = []
    outputs: dict[str, str] = {}
    for layer in layers:
        if isinstance(layer, nn_nodes.OutputNode):
            outputs[layer.name] = layer.tensor
            continue
        for node, quantiser in _lowered(layer, tensors):
            shape = output_shape(node, [tensors[name].shape for name in node.inputs])
            tensors[node.output] = Tensor(node.output, shape, quantiser[0], quantiser[1])
            nodes.append(node)
    graph = Graph(image, tuple(nodes), tensors, outputs, dict(meta))
    graph.meta["params"] = parameter_count(graph)
    check(graph, acc_bits)
    return graph


def _lowered(
    layer: nn_nodes.Node, tensors: dict[str, Tensor]
) -> list[tuple[Node, tuple[float, int]]]:
    """The graph nodes of one exported layer, each with its output's (scale, zero point)."""
    match layer:
        case nn_nodes.ConvNode() | nn_nodes.DeformNode():
            return [(_conv(layer), (layer.out_quant.scale, layer.out_quant.zero_point))]
        case nn_nodes.AddNode():
            return [(_add(layer), (layer.out_quant.scale, layer.out_quant.zero_point))]
        case nn_nodes.AverageNode():
            return [(_average(layer, tensors[layer.input]), (layer.out_quant.scale, layer.out_quant.zero_point))]
        case nn_nodes.InputNode():
            return []
        case nn_nodes.ConcatNode():
            moved = [Concat(layer.name, layer.inputs, layer.output)]
        case nn_nodes.SplitNode():
            total = tensors[layer.input].shape[0]
            bounds = (0, total // 2, total)
            moved = [
                Slice(name, (layer.input,), name, bounds[i], bounds[i + 1]) for i, name in enumerate(layer.outputs)
            ]
        case nn_nodes.ShuffleNode():
            moved = [Shuffle(layer.name, (layer.input,), layer.output, layer.groups)]
        case nn_nodes.MaxPoolNode():
            moved = [
                MaxPool(layer.name, (layer.input,), layer.output, layer.kernel, layer.stride, layer.pad)
            ]
        case nn_nodes.UpsampleNode(factor=2):
            moved = [Upsample(layer.name, (layer.input,), layer.output)]
        case _:
            raise UserError(f"layer {layer.name!r}: {type(layer).__name__} cannot be lowered; remove it")
    first = tensors[moved[0].inputs[0]]
    return [(node, (first.scale, first.zero_point)) for node in moved]


def _add(layer: nn_nodes.AddNode) -> Add:
    quant, (a, b) = layer.out_quant, layer.in_quants
    multipliers, shift = add_parameters(a.scale, b.scale, quant.scale, layer.name)
    return Add(layer.name, layer.inputs, layer.output, multipliers, shift, quant.zero_point, quant.lo, quant.hi)


def _average(layer: nn_nodes.AverageNode, source: Tensor) -> GlobalAveragePool:
    channels, height, width = source.shape
    quant, given = layer.out_quant, layer.in_quant
    m, s = normalise_multiplier(given.scale / (height * width * quant.scale), layer.name)
    constants = (m, s, -given.zero_point * height * width * m)
    requant = Requant(*(np.full(channels, value) for value in constants), quant.zero_point, quant.lo, quant.hi)
    return GlobalAveragePool(layer.name, (layer.input,), layer.output, requant)


def _conv(layer: nn_nodes.ConvNode | nn_nodes.DeformNode) -> Conv | DeformConv:
    quant = layer.out_quant
    m, s, b = requant_parameters(
        layer.weight,
        layer.in_quant.scale,
        layer.weight_scale,
        quant.scale,
        layer.in_quant.zero_point,
        layer.bias,
        layer.name,
    )
    requant = Requant(m, s, b, quant.zero_point, quant.lo, quant.hi)
    common = (layer.weight, layer.weight_bits, requant)
    if isinstance(layer, nn_nodes.DeformNode):
        inputs = (layer.input, layer.offset)
        return DeformConv(layer.name, inputs, layer.output, *common, layer.operator, layer.bound)
    return Conv(layer.name, (layer.input,), layer.output, *common, layer.stride, layer.pad, layer.groups)
