# SPDX-License-Identifier: Apache-2.0
"""The compiled C simulation of a project: runs images, hands back every traced layer.

``python -m codesign.hls.csim JOB``: a process of its own, because the generated code ends the process where a weight
file is missing. JOB is a JSON file: library, layers {name: [h, w, c]}, output [h, w, c], images and results (files).
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from codesign.hls import PROJECT

_FLOATS = ctypes.POINTER(ctypes.c_float)


class _Traced(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p)]


class CSimulation:
    """``layers`` are shapes (H, W, C) of the traced layers by name, ``output`` that of the top's result."""

    def __init__(self, library: Path, layers: Mapping[str, tuple[int, int, int]], output: tuple[int, int, int]):
        self._library, self._layers, self._output = ctypes.CDLL(str(library)), dict(layers), output
        self._top = getattr(self._library, f"{PROJECT}_float")
        self._library.allocate_trace_storage.argtypes = [ctypes.c_size_t]
        self._library.allocate_trace_storage(ctypes.sizeof(ctypes.c_float))

    def run(self, codes: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Every traced layer by name and the result, int8 (C, H, W), of an image's codes (C, H, W)."""
        pixels = np.ascontiguousarray(codes.transpose(1, 2, 0), dtype=np.float32)
        result = np.empty(int(np.prod(self._output)), np.float32)
        self._top(pixels.ctypes.data_as(_FLOATS), result.ctypes.data_as(_FLOATS))
        traced = (_Traced * len(self._layers))()
        self._library.collect_trace_output(traced)
        found = {}
        for each in traced:
            name = each.name.decode()
            shape = self._layers[name]
            flat = np.ctypeslib.as_array(ctypes.cast(each.data, _FLOATS), shape=(int(np.prod(shape)),))
            found[name] = _planar(flat, shape)
        return found, _planar(result, self._output)


def _planar(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """int8 (C, H, W); the values are codes, whatever the type they travelled in."""
    return np.ascontiguousarray(flat.reshape(shape).transpose(2, 0, 1)).astype(np.int8)


def main(job_file: Path) -> None:
    """Run a job's images; the results file holds ``N/layer`` and ``N`` for image N."""
    job = json.loads(job_file.read_text())
    layers = {name: tuple(shape) for name, shape in job["layers"].items()}
    simulation = CSimulation(Path(job["library"]), layers, tuple(job["output"]))
    with np.load(job["images"], allow_pickle=False) as images:
        codes = images["codes"]
    found: dict[str, np.ndarray] = {}
    for number, image in enumerate(codes):
        traced, result = simulation.run(image)
        found[str(number)] = result
        found.update({f"{number}/{name}": values for name, values in traced.items()})
        print(f"image {number + 1} of {len(codes)}", flush=True)
    np.savez(job["results"], **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
