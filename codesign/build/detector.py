# SPDX-License-Identifier: Apache-2.0
"""A detector that runs as the Brevitas network, as golden, as RTL or as the driver on the virtual board."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from codesign.boards import load_board
from codesign.build.options import BuildOptions
from codesign.build.runner import Listener, build
from codesign.build.step import GRAPH, Context
from codesign.build.steps.lower import lowered
from codesign.build.steps.simulate import content
from codesign.data.fit import STRETCH, checked_fit
from codesign.decode import Detections, decode, decode_codes
from codesign.errors import UserError
from codesign.golden import image_codes, run
from codesign.graph.files import load_graph
from codesign.graph.ir import Graph
from codesign.graph.meta import HEADS

ENGINES = ("brevitas", "golden", "rtl", "board")
Run = Callable[[np.ndarray], Detections]


class Detector:
    """``detect(pixels)`` maps uint8 RGB of the network's size to boxes in input pixels, best first."""

    def __init__(self, options: BuildOptions, on: str = "golden", listener: Listener | None = None):
        if on not in ENGINES:
            raise UserError(f"--on {on!r}: must be one of {', '.join(ENGINES)}")
        self.on, self._options, self._listener = on, options, listener or Listener()
        if on == "brevitas" and options.trained_model is None:
            raise UserError(f"--on {on} needs a trained model; give one with --model")
        if on == "brevitas" and options.onnx_model is not None:
            raise UserError(f"--on {on}: {options.onnx_model.name} holds integers, no Brevitas network; use golden or rtl")

    @cached_property
    def context(self) -> Context:
        """The build folder with its simulator, brought up to date."""
        result = build(self._options, self._listener, until="verilate")
        return Context(self._options, load_board(self._options.board), result.folder, _silent, _silent)

    @cached_property
    def graph(self) -> Graph:
        """The integer graph; for RTL and board the one in the build folder. Raises UserError for one that is no detector's."""
        graph = load_graph(self.context.path(GRAPH)) if self.on in ("rtl", "board") else lowered(self._options)
        if any(role not in graph.outputs for role in HEADS) or graph.input.shape[0] != 3:
            named = ", ".join(graph.outputs)[:80]
            raise UserError(f"not a detector: its outputs are {named}; a detector takes a picture and has {', '.join(HEADS)}")
        return graph

    @cached_property
    def detect(self) -> Run:
        """The function itself, made once."""
        return {"golden": self._golden, "rtl": self._rtl, "board": self._board, "brevitas": self._brevitas}[self.on]()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.graph.input.shape[1], self.graph.input.shape[2]

    @property
    def labels(self) -> list[str]:
        """Class names."""
        return [str(label) for label in self.graph.meta.get("labels", [])]

    @property
    def fit(self) -> str:
        """How training fitted its pictures, and so how pictures are to be fitted: stretch or letterbox."""
        return graph_fit(self.graph)

    def _golden(self) -> Run:
        def detect(pixels: np.ndarray) -> Detections:
            values = run(self.graph, image_codes(pixels))
            return decode_heads(self.graph, {role: values[name] for role, name in self.graph.outputs.items()})

        return detect

    def _rtl(self) -> Run:
        from codesign.verify import run_frame

        context = self.context
        program, board = context.plan.program, context.board
        image, library = content(context), context.path("simulator/libsim.so").resolve()

        def detect(pixels: np.ndarray) -> Detections:
            frame = run_frame(library, program, board, image_codes(pixels), image, monitors=False)
            lanes = program.config.lanes
            return decode_heads(self.graph, {role: t.read(frame.memory, lanes) for role, t in program.outputs.items()})

        return detect

    def _board(self) -> Run:
        """The driver itself, out of a package of this build, on the virtual board."""
        from codesign.package.source import package
        from codesign.runtime import Detector as Driver
        from codesign.runtime import Package
        from codesign.virtual import open_board

        path = self.context.path("detector.zip")
        package(self.context, path)
        library = self.context.path("simulator/libsim.so").resolve()
        driver = Driver.from_package(str(path), open_board(self._options.board, Package.read(str(path)), library))
        return driver.detect

    def _brevitas(self) -> Run:
        import torch

        from codesign.nn.model_file import load_model
        from codesign.train.batches import to_input

        model = self._options.trained_model
        assert model is not None
        network, _ = load_model(model)

        @torch.no_grad()
        def detect(pixels: np.ndarray) -> Detections:
            heads: dict[str, Any] = network(to_input([pixels]))
            hm, wh, reg = (heads[name][0].double().numpy() for name in ("hm", "wh", "reg"))
            return decode(hm, wh, reg)

        return detect


def decode_heads(graph: Graph, heads: dict[str, np.ndarray]) -> Detections:
    """Boxes in input pixels of the int8 codes of a graph's outputs, by role."""
    tensors = {role: graph.tensors[name] for role, name in graph.outputs.items()}
    return decode_codes(heads, {role: (t.scale, t.zero_point) for role, t in tensors.items()})


def graph_fit(graph: Graph) -> str:
    """The fit a graph was trained with; stretch where it says nothing."""
    return checked_fit(graph.meta.get("fit", STRETCH), "the graph's meta.fit")


def _silent(_: str) -> None:
    pass
