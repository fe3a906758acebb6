# SPDX-License-Identifier: Apache-2.0
"""`codesign export`: a model as QONNX, or as standard ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Config
from codesign.cli.output import console


def export_command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.onnx", help="Where the ONNX model goes.")],
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A trained model, an integer graph or an ONNX model; default: the shipped one.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="qonnx (Quant), or onnx (standard operators, QDQ).")] = "qonnx",
    config: Config = "b",
) -> None:
    """Write a model for other tools; it is imported again, and every integer compared, before it is written."""
    from codesign.build import BuildOptions
    from codesign.build.steps.lower import lowered
    from codesign.errors import UserError
    from codesign.graph.count import mac_count
    from codesign.onnx.export import FORMATS, export_model

    if form not in FORMATS:
        raise UserError(f"--format {form!r}: must be one of {', '.join(FORMATS)}")
    graph = lowered(BuildOptions("pynq-z2", config, model))
    proto = export_model(graph, out, form).proto
    opset = next(entry.version for entry in proto.opset_import if not entry.domain)
    console().print(
        f"{out}: {form}, opset {opset}, {len(proto.graph.node)} operators of {len({n.op_type for n in proto.graph.node})} kinds, "
        f"{len(graph.tensors)} tensors, {mac_count(graph):,} MACs; imported again, every integer of every layer is the same"
    )
