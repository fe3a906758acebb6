# SPDX-License-Identifier: Apache-2.0
"""Who is looked at: every tensor of one input, as the Brevitas network, the RTL or a file of arrays has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from codesign.bounded import BROKEN_ARCHIVE, opened_arrays, reason
from codesign.build.step import Context
from codesign.diff.rtl_tensors import RtlTensors
from codesign.errors import UserError
from codesign.graph.ir import Graph


@dataclass(frozen=True, eq=False)
class Observation:
    """``tensors`` (C, H, W) by name; ``rtl`` also knows who wrote a value and when."""

    tensors: dict[str, np.ndarray]
    rtl: RtlTensors | None = None


class Observer(Protocol):
    """Runs one input. ``exact`` False: a layer is right with 99.9 % of its codes equal and the rest off by one."""

    name: str
    exact: bool

    def observe(self, codes: np.ndarray) -> Observation:
        """Every tensor of input ``codes`` int8 (C, H, W)."""


class BrevitasObserver:
    """The quantised PyTorch network itself, in float32."""

    name, exact = "brevitas", False

    def __init__(self, model: Path):
        from codesign.nn.model_file import load_model

        self._network, _ = load_model(model)

    def observe(self, codes: np.ndarray) -> Observation:
        from codesign.nn.export import trace_codes

        pixels = (codes.transpose(1, 2, 0).view(np.uint8) ^ 0x80).copy()
        return Observation({**trace_codes(self._network, pixels), "image": codes})


class RtlObserver:
    """The simulator of a build folder, with the DRAM content and the RTL as they lie there."""

    name, exact = "rtl", True

    def __init__(self, context: Context):
        self.context = context

    def observe(self, codes: np.ndarray) -> Observation:
        from codesign.build.steps.simulate import content
        from codesign.verify import run_frame

        context = self.context
        library = context.path("simulator/libsim.so").resolve()
        frame = run_frame(library, context.plan.program, context.board, codes, content(context))
        found = RtlTensors(context.plan, context.graph, frame, codes)
        return Observation(found.tensors, found)


class FileObserver:
    """Arrays of another implementation: NumPy's .npz, a tensor a name, integers (C, H, W)."""

    exact = True

    def __init__(self, path: Path, graph: Graph):
        self.name = path.name
        try:
            with opened_arrays(path) as arrays:
                self._tensors = {name: arrays.read(name, tensor.shape, "iu") for name, tensor in graph.tensors.items() if name in arrays}
        except BROKEN_ARCHIVE as error:
            raise UserError(f"{path}: not a readable .npz ({reason(error)}); write it with numpy.savez") from None
        if not self._tensors:
            raise UserError(f"{path}: holds no tensor of this network; name the arrays as golden.npz does")

    def observe(self, codes: np.ndarray) -> Observation:
        return Observation(dict(self._tensors))
