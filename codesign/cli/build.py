# SPDX-License-Identifier: Apache-2.0
"""`codesign build`: from a model to verified RTL for one board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.output import BuildPrinter, write_json


def shipped_model(path: Path | None) -> Path | None:
    """The path itself, or that of the shipped model of this name."""
    if path is None or path.exists() or path.suffix or path.parent != Path():
        return path
    from codesign.build.options import SHIPPED_MODEL

    named = SHIPPED_MODEL.with_name(f"{path.name}.safetensors")
    return named if named.is_file() else path


CONFIG_HELP = (
    "A published configuration, a to e; the tiny t; mobilenetv2 (or mobilenetv2-0.35, -0.5, -0.75, mobilenetv2-centernet) or simplenet."
)
Board = Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="A board's name, or a board file (.toml).")]
Config = Annotated[str, typer.Option("--config", metavar="NAME", help=CONFIG_HELP)]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="FILE|NAME", callback=shipped_model,
        help="A trained model, an integer graph, an ONNX model (.onnx), or the name of a shipped model.",
    ),
]  # fmt: skip
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Output folder; default build/BOARD-CONFIG.")]
LayerBits = Annotated[
    str | None, typer.Option("--layer-bits", metavar="LAYER=4|8,..", help="Other weight bits for single layers, as stem=8,decoder1.offset=8.")
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON too.")]


def build_command(
    board: Board,
    config: Config = "b",
    model: Model = None,
    image: Annotated[Path | None, typer.Option("--image", metavar="FILE", help="The picture to run.")] = None,
    height: Annotated[int | None, typer.Option("--height", help="Input height, a multiple of 32.")] = None,
    width: Annotated[int | None, typer.Option("--width", help="Input width, a multiple of 32.")] = None,
    weight_bits: Annotated[int | None, typer.Option("--weight-bits", help="4 or 8, for untrained weights.")] = None,
    layer_bits: LayerBits = None,
    form: Annotated[str | None, typer.Option("--form", help="square or pairs, for untrained weights.")] = None,
    out: Out = None,
    backend: Annotated[
        str, typer.Option("--backend", metavar="amaranth|hls4ml|both", help="The accelerator, a project for Vivado HLS, or both compared.")
    ] = "amaranth",
    fresh: Annotated[bool, typer.Option("--fresh", help="Run every step again and forget edits.")] = False,
    input: Annotated[Path | None, typer.Option("--input", metavar="FILE.npy", help="The input to run: codes (C, H, W), or reals.")] = None,
    json: Json = None,
) -> int:
    """Lower, plan, generate, simulate a frame, compare every tensor with golden, estimate resources, report."""
    from codesign.build import BuildOptions, build
    from codesign.nn.layer_bits import parse

    options = BuildOptions(board, config, model, image, height, width, weight_bits, form, out, fresh, input,
                           parse(layer_bits), backend)  # fmt: skip
    printer = BuildPrinter()
    try:
        result = build(options, printer)
    finally:
        printer.close()
    if json is not None:
        write_json(json, build_report(result.folder))
    return 1 if result.failed else 0


def build_report(folder: Path) -> object:
    """report.json of a build folder."""
    import json

    from codesign.build.artefacts import readable

    with readable(folder / "report.json"):
        return json.loads((folder / "report.json").read_text())
