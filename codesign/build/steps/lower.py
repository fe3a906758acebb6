# SPDX-License-Identifier: Apache-2.0
"""lower: a trained or imported model, or calibrated random weights, to graph.safetensors; and the input to run, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from codesign.build.artefacts import file_hash, text_hash, write_whole
from codesign.build.network_input import SEED, pixel_codes, png_of_codes, random_codes, read_array
from codesign.build.options import BuildOptions
from codesign.build.pictures import held_out_scene
from codesign.build.step import DONE, GRAPH, IMAGE, Context, Outcome, Step
from codesign.errors import UserError
from codesign.graph.count import mac_count, parameter_count
from codesign.graph.files import save_graph
from codesign.graph.ir import Graph


def lowered(options: BuildOptions) -> Graph:
    """The integer graph of these options."""
    model = options.trained_model
    if model is None:
        from codesign.lower.random_zoo import random_network

        form, bits = options.form or "square", options.weight_bits or 4
        return random_network(options.config, options.height, options.width, bits, form, layer_bits=options.layer_bits)
    if options.onnx_model is not None:
        from codesign.onnx.importer import import_model

        return import_model(model)
    if is_graph(model):
        from codesign.graph.files import load_graph

        return load_graph(model)
    from codesign.lower.from_brevitas import lower
    from codesign.nn.model_file import load_model

    network, info = load_model(model)
    size = (options.height or info.config.input_size[0], options.width or info.config.input_size[1])
    return lower(network, size, info.labels, options.config, fit=info.fit)


def is_graph(model: Path) -> bool:
    """An integer graph, as opposed to a trained model (both are safetensors)."""
    from codesign.graph.files import FORMAT

    with open(model, "rb") as handle:
        return FORMAT.encode() in handle.read(1 << 16)


def chosen_input(options: BuildOptions, graph: Graph) -> tuple[np.ndarray, str]:
    """Codes int8 (C, H, W) for the frame, and what they are."""
    if options.input is not None:
        return read_array(options.input, graph), options.input.name
    channels = graph.input.shape[0]
    if channels != 3:
        if options.image is not None:
            raise UserError(f"--image: the network takes {channels} channels, not a picture; give it --input FILE.npy")
        return random_codes(graph), f"random codes of its range, seed {SEED}"
    pixels, shown = picture(options, graph)
    return pixel_codes(pixels, graph), shown


def picture(options: BuildOptions, graph: Graph) -> tuple[np.ndarray, str]:
    """uint8 (H, W, 3) for the frame of a network that takes pictures, and what it is."""
    _, height, width = graph.input.shape
    if options.image is not None:
        from codesign.build.detector import graph_fit
        from codesign.data.fit import fit_picture
        from codesign.data.sample import load_image

        return fit_picture(load_image(options.image), height, width, graph_fit(graph)).pixels, options.image.name
    if "image_seed" in graph.meta:
        from codesign.lower.random_net import calibration_image

        return calibration_image(graph), "a textured test picture"
    return held_out_scene(height, width), "a held-out digit scene"


class LowerStep(Step):
    name = "lower"
    outputs = (GRAPH, IMAGE)
    sources = (
        "codesign/build/pictures.py", "codesign/build/network_input.py", "codesign/data/fit.py", "codesign/onnx", "codesign/lower",
        "codesign/graph", "codesign/numeric.py", "codesign/data/digits.py", "codesign/nn",
    )  # fmt: skip

    def inputs(self, context: Context) -> dict[str, str]:
        options = context.options
        model, image, codes = options.trained_model, options.image, options.input
        chosen = (options.config, options.height, options.width, options.weight_bits, options.form, *options.layer_bits)
        return {
            "model": file_hash(model) if model else "",
            "image": file_hash(image) if image else "",
            "input": file_hash(codes) if codes else "",
            "model name": model.name if model else "",
            "options": text_hash(*chosen),
            "acc_bits": str(context.board.accelerator.acc_bits),
        }

    def run(self, context: Context) -> Outcome:
        model = context.options.trained_model
        context.progress("calibrated random weights" if model is None else f"lowering {model.name}")
        graph, source = self._graph(context)
        codes, shown = chosen_input(context.options, graph)
        context.folder.mkdir(exist_ok=True)
        save_graph(graph, context.path(GRAPH))
        write_whole(context.path(IMAGE), png_of_codes(codes))
        kind = "calibrated random weights" if model is None else model.name
        channels, height, width = graph.input.shape
        size = f"{width}x{height}" if channels == 3 else f"{channels}x{height}x{width}"
        facts = {"weights": kind, "trained": model is not None, "params": parameter_count(graph), "macs": mac_count(graph)}
        if source:
            facts["source"] = source
        reason = (
            f"{kind}: {len(graph.tensors)} tensors, {facts['params']:,} parameters, {facts['macs']:,} MACs, "
            f"{size}; input is {shown}"
        )
        return Outcome(DONE, reason, facts)

    def _graph(self, context: Context) -> tuple[Graph, dict[str, Any]]:
        """The graph and, of an imported one, where it comes from. Raises UserError, naming the operator, for one that the
        board's accelerator cannot execute."""
        path = context.options.onnx_model
        if path is None:
            return lowered(context.options), {}
        from codesign.onnx.board import require
        from codesign.onnx.importer import examine

        found = examine(path, context.board.accelerator.acc_bits)
        graph = require(found, context.board, str(path))
        return graph, {"file": path.name, "sha256": file_hash(path), "opset": found.opset, "producer": found.producer}
