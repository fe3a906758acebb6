# SPDX-License-Identifier: Apache-2.0
"""project: the integer graph as a complete hls4ml project for the board."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from codesign.build.artefacts import json_text, text_hash, write_whole
from codesign.build.step import DONE, GRAPH, Context, Outcome, Step
from codesign.hls import PROJECT
from codesign.hls.folded import fold_layers
from codesign.hls.layer_list import LayerList, layer_list
from hw.hls.folding import cycles, memory_bits, multipliers

FOLDER, DESCRIPTION = "hls4ml", "hls4ml.json"
TOP = f"{FOLDER}/firmware/{PROJECT}.cpp"
SOURCES = ("hw/hls", "codesign/hls", "codesign/graph", "codesign/numeric.py")
#: The slowest layer gets about as long as a frame takes on the AXI stream, one code a cycle, this many times over.
FRAMES_ON_THE_BUS = 2
BLOCK_RAM = 36 * 1024  # bits


class ProjectStep(Step):
    name = "project"
    outputs = (TOP, DESCRIPTION)
    sources = SOURCES

    def inputs(self, context: Context) -> dict[str, str]:
        return {GRAPH: context.hash(GRAPH), "board": text_hash(context.board.name, context.board.clock_mhz)}

    def run(self, context: Context) -> Outcome:
        from codesign.hls.project import board_shell, write_project

        board = context.board
        shell = board_shell(board.name, board.path.stem)  # settings behind a colon are of the accelerator, and in the name
        context.progress("hls4ml is at work")
        layers = fold_layers(layer_list(context.graph), FRAMES_ON_THE_BUS * context.graph.input.values)
        written = write_project(layers, shell, board.clock_mhz, context.path(FOLDER))
        facts = {**asdict(written), **_estimates(layers), "names": layers.names, "outputs": list(layers.outputs)}
        facts["memory_bits"] += written.stream_bits
        write_whole(context.path(DESCRIPTION), json_text(facts))
        reason = (
            f"{len(layers.layers) - 1} layers, {facts['multipliers']} multipliers; estimated from the kernels' loops: a frame "
            f"every {facts['interval']:,} cycles, {written.latency:,} cycles each; {_memory(facts['memory_bits'], board.device.bram36)}; {FOLDER}/"
        )
        keep = ("multipliers", "requantisers", "interval", "latency", "memory_bits", "layer_estimates")
        return Outcome(DONE, reason, {key: facts[key] for key in keep})


def _memory(bits: int, blocks: int) -> str:
    """Everything lies on chip in this design, so that a network may be too large for a board."""
    used = f"rows, weights and FIFOs of {bits / BLOCK_RAM:.1f} block RAMs' bits"
    return f"{used}, {blocks} on the device" if bits <= blocks * BLOCK_RAM else f"{used}: they do not fit the device's {blocks}"


def _estimates(layers: LayerList) -> dict[str, Any]:
    """Read off the kernels' loops and memories; no tool has scheduled them."""
    ours = [layer for layer in layers.layers if layer["class_name"].startswith("Codesign")]
    rows = [
        {
            "name": layer["name"],
            "kind": layer["class_name"],
            "products_per_cycle": multipliers(layer["class_name"], layer),
            "cycles": cycles(layer["class_name"], layer),
            **{f"{part}_bits": bits for part, bits in memory_bits(layer["class_name"], layer).items()},
        }
        for layer in ours
    ]
    return {
        "layer_estimates": rows,
        "interval": max(row["cycles"] for row in rows),
        "multipliers": sum(row["products_per_cycle"] for row in rows),
        "requantisers": sum(row["products_per_cycle"] > 0 for row in rows),
        "memory_bits": sum(row["ring_bits"] + row["weights_bits"] for row in rows),
    }
