# SPDX-License-Identifier: Apache-2.0
"""Writes an hls4ml project for a board. The only module here that imports hls4ml."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.errors import UserError
from codesign.hls import PROJECT
from codesign.hls.layer_list import LayerList
from codesign.hls.streams import processes
from codesign.hls.vendor_tcl import mend_design, write_run_script
from hw.hls.streams import latency, least_depths, padded

BACKEND = "VivadoAccelerator"


def known_boards() -> list[str]:
    """Boards that hls4ml's VivadoAccelerator back end has a shell for."""
    import json

    from hls4ml.backends import vivado_accelerator

    path = Path(vivado_accelerator.__file__).parent / "supported_boards.json"
    return sorted(json.loads(path.read_text()))


def board_shell(*names: str) -> str:
    """The first of a board's names that hls4ml has a shell for. UserError where it has none."""
    known = known_boards()
    found = next((name for name in names if name in known), None)
    if found is None:
        raise UserError(f"--backend hls4ml knows the boards {', '.join(known)}; {names[0]} is built with --backend amaranth")
    return found


@dataclass(frozen=True)
class Project:
    """What was written. ``layers`` are shapes (H, W, C) of the traced layers, ``output`` that of the result; the rest
    are estimates of `hw.hls`: FIFO words and bits, what hls4ml's own depths (a frame each) would take, and cycles."""

    layers: dict[str, tuple[int, int, int]]
    output: tuple[int, int, int]
    streams: dict[str, int]
    stream_bits: int
    frame_stream_bits: int
    latency: int


def write_project(layers: LayerList, board: str, clock_mhz: float, folder: Path) -> Project:
    """The complete project in ``folder``, replacing what is there, for a ``board`` of `known_boards`."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.redirect_stdout(io.StringIO()):
        model = make_model(layers, board, clock_mhz, folder)
        model.config.trace_output = True
        network = processes(model)
        depths = padded(least_depths(network))
        whole, bits = _set_depths(model, depths)
        model.write()
    _mend_axi_types(folder / "firmware" / f"{PROJECT}_axi.h")
    _compile_quickly(folder / "build_lib.sh")
    write_run_script(folder)
    mend_design(folder)
    traced = {each.name: _shape(each) for each in model.get_layers() if each.get_attr("trace")}
    top = model.get_output_variables()[0]
    return Project(traced, tuple(map(int, top.shape)), depths, bits, whole, latency(network))  # type: ignore[arg-type]


def _shape(layer: Any) -> tuple[int, int, int]:
    return tuple(map(int, layer.get_output_variable().shape))  # type: ignore[return-value]


def make_model(layers: LayerList, board: str, clock_mhz: float, folder: Path) -> Any:
    """hls4ml's model graph of the layers, io_stream, int8 on both AXI streams."""
    from hls4ml.model import ModelGraph
    from hls4ml.utils.config import create_config

    from hw.hls.register import register

    register()
    config = create_config(
        output_dir=str(folder), project_name=PROJECT, backend=BACKEND, board=board, clock_period=round(1000 / clock_mhz, 3),
        io_type="io_stream", input_type="ap_int<8>", output_type="ap_int<8>",
    )  # fmt: skip
    config["HLSConfig"] = {"Model": {"Precision": "ap_int<8>", "ReuseFactor": 1}}
    config["WriterConfig"] = {**config.get("WriterConfig", {}), "WriteTar": False}
    plain = [dict(layer) for layer in layers.layers]
    return ModelGraph.from_layer_list(config, plain, [plain[0]["name"]], [layers.output])


def _set_depths(model: Any, depths: dict[str, int]) -> tuple[int, int]:
    """Set every FIFO's words; bits of all of them as hls4ml has them (a frame each), and with ``depths``."""
    before = after = 0
    variables = {variable.name: variable for layer in model.get_layers() for variable in layer.get_variables()}
    for name, words in depths.items():
        variable = variables[name]
        width = 8 * int(variable.shape[-1])
        frame = int(variable.pragma[1])
        variable.pragma = (variable.pragma[0], min(words, frame))
        before, after = before + frame * width, after + min(words, frame) * width
    return before, after


def _mend_axi_types(header: Path) -> None:
    """hls4ml 1.3.0 writes ``int<8>`` for an AXI type of 8 bits; what C++ knows is ``ap_int<8>``."""
    header.write_text(re.sub(r"^typedef int<", "typedef ap_int<", header.read_text(), flags=re.M))


def _compile_quickly(script: Path) -> None:
    """-O1: more than a hundred kernels compile in less than half the time, and simulate in seconds either way."""
    script.write_text(script.read_text().replace("-O3", "-O1"))
