# SPDX-License-Identifier: Apache-2.0
"""Instructions, parameters and data laid out in DRAM as one program."""

from __future__ import annotations

import numpy as np

from codesign.graph.ir import Graph
from codesign.plan.residency import Residency
from codesign.plan.views import Layout
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.program import Instruction, PlaneTensor, Program

_ALIGN = 4096


def assemble(
    graph: Graph,
    layout: Layout,
    config: AcceleratorConfig,
    instructions: list[Instruction],
    params: np.ndarray,
    residency: Residency,
    image_address: int | None,
) -> Program:
    """Resolve the addresses of ``instructions`` (relative to the parameters and to the data) and give the whole."""
    params_at = _align(len(instructions) * isa.INSTRUCTION_BYTES)
    data_at = _align(params_at + params.size)
    final = tuple(_relocate(i, params_at, data_at) for i in instructions)
    content = np.zeros(data_at, np.uint8)
    code = b"".join(i.encode() for i in final)
    content[: len(code)] = np.frombuffer(code, np.uint8)
    content[params_at : params_at + params.size] = params

    def in_dram(name: str) -> PlaneTensor:
        return _plane_tensor(graph, layout, name, residency, data_at)

    image = inputs = None
    if image_address is not None:
        image = (image_address + data_at, *graph.input.shape[1:])
    else:
        inputs = in_dram(graph.input.name)
    outputs = {role: in_dram(name) for role, name in graph.outputs.items()}
    size = _align(data_at + residency.dram_bytes)
    return Program(config, final, content, params_at, image, inputs, outputs, size)


def _plane_tensor(graph: Graph, layout: Layout, name: str, residency: Residency, data_at: int) -> PlaneTensor:
    view = layout.views[name]
    tensor = graph.tensors.get(name, graph.input)
    index = {p: i for i, p in enumerate(view.planes)}
    channels = np.array([[index[int(p)], int(lane)] for p, lane in view.channels])
    planes = tuple(residency.plane_address(p) + data_at for p in view.planes)
    return PlaneTensor(name, tensor.shape, tensor.scale, tensor.zero_point, planes, channels, view.up)


def _align(value: int) -> int:
    return -(-value // _ALIGN) * _ALIGN


def _relocate(instruction: Instruction, params_at: int, data_at: int) -> Instruction:
    values = dict(instruction.values)
    if values.get("param_beats"):
        values["param_addr"] += params_at
    if "dram_addr" in values:
        values["dram_addr"] += data_at
    return Instruction(instruction.opcode, values, instruction.node, instruction.written)
