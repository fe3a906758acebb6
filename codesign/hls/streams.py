# SPDX-License-Identifier: Apache-2.0
"""The processes of an hls4ml model, clones included, for FIFO depths and latency."""

from __future__ import annotations

from typing import Any

from hw.hls.folding import pixel_cycles
from hw.hls.streams import Process, program


def processes(model: Any) -> list[Process]:
    """One for each layer of an hls4ml `ModelGraph` after its flows, and one that feeds the image in over AXI."""
    found = []
    for layer in model.get_layers():
        reads = tuple(layer.get_input_variable(name).name for name in layer.inputs if name in _outputs(model))
        writes = tuple(variable.name for variable in layer.get_variables())
        found.append(_process(layer, reads, writes))
    return found


def _outputs(model: Any) -> set[str]:
    return {output for layer in model.get_layers() for output in layer.outputs}


def _process(layer: Any, reads: tuple[str, ...], writes: tuple[str, ...]) -> Process:
    kind, attributes = layer.class_name, layer.attributes
    height, width, channels = next(iter(layer.get_variables())).shape
    write, move = ((True, 0),), ((False, 0), (True, 0))
    if kind == "Input":
        return Process(layer.name, (), writes, write * (height * width), channels)  # one code a cycle
    if kind == "Clone":
        return Process(layer.name, reads, writes, move * (height * width))
    if kind == "Concatenate":
        return Process(layer.name, reads, writes, program(kind, {"pixels": height * width}))
    return Process(layer.name, reads, writes, program(kind, attributes), pixel_cycles(kind, attributes))
