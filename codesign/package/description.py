# SPDX-License-Identifier: Apache-2.0
"""detector.json: what the driver has to know of a planned network."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from codesign.boards import Board
from codesign.errors import UserError
from codesign.graph.ir import Graph
from codesign.program.config import AcceleratorConfig
from codesign.program.program import PlaneTensor, Program
from codesign.program.registers import IDENTITY, MEANING
from codesign.runtime.description import ROLES, SCHEMA


def describe(graph: Graph, program: Program, board: Board) -> dict[str, Any]:
    """The document. Raises `UserError` for a graph that is no detector."""
    missing = [role for role in ROLES if role not in program.outputs]
    if missing or graph.input.shape[0] != 3:
        raise UserError(f"no detector: outputs lack {', '.join(missing) or 'nothing'}, input is {graph.input.shape}; "
                        f"a package needs a picture and {', '.join(ROLES)}")  # fmt: skip
    image = program.image
    control = board.vivado
    return {
        "schema": SCHEMA,
        "board": board.name,
        "clock_mhz": board.clock_mhz,
        "lanes": program.config.lanes,
        "identity": IDENTITY,
        "shape": shape_word(program.config),
        "engines": list(program.config.engines),
        "accelerator": asdict(program.config),
        "control": None if control is None else {"address": control.control_address, "bytes": control.control_bytes},
        "registers": {register.name: {"offset": int(register), "access": MEANING[register][0]} for register in MEANING},
        "labels": [str(label) for label in graph.meta.get("labels", [])],
        "height": graph.input.shape[1],
        "width": graph.input.shape[2],
        "instructions": len(program.instructions),
        "weights_address": program.params_address,
        "memory_bytes": program.dram_bytes,
        "image": None if image is None else image[0],
        "inputs": None if program.inputs is None else _planes(program.inputs),
        "outputs": {role: _planes(program.outputs[role]) for role in ROLES},
    }


def shape_word(config: AcceleratorConfig) -> int:
    """What register SHAPE of this accelerator reads."""
    blocks = config.spad_words // 256 % 256
    return config.lanes | config.array_out << 8 | config.depthwise_units << 16 | blocks << 24


def _planes(tensor: PlaneTensor) -> dict[str, Any]:
    return {
        "shape": [int(n) for n in tensor.shape],
        "scale": float(tensor.scale),
        "zero_point": int(tensor.zero_point),
        "planes": [int(a) for a in tensor.planes],
        "channels": np.asarray(tensor.channels).tolist(),
        "up": int(tensor.up),
    }
