# SPDX-License-Identifier: Apache-2.0
"""Graph to file, proven on the way."""

from __future__ import annotations

import os
from pathlib import Path

from codesign.errors import UserError
from codesign.graph.ir import Graph
from codesign.onnx.export.proof import prove
from codesign.onnx.export.style import STYLES
from codesign.onnx.export.writer import Writer, Written

FORMATS = tuple(STYLES)


def export_proto(graph: Graph, form: str = "qonnx") -> Written:
    """``graph`` as a model in memory. ``form`` is "qonnx", or "onnx" for standard operators.

    What is returned has been imported again: every integer of every layer is the same. Raises UserError, naming the layer, for
    what ONNX, or single precision, cannot hold.
    """
    if form not in STYLES:
        raise UserError(f"format {form!r}: must be one of {', '.join(FORMATS)}")
    written = Writer(graph, STYLES[form]).write()
    prove(graph, written)
    return written


def export_model(graph: Graph, path: str | Path, form: str = "qonnx") -> Written:
    """As `export_proto`, and into a file, whole or not at all."""
    path = Path(path)
    written = export_proto(graph, form)
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(written.proto.SerializeToString())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror}; check the folder, its space and permissions") from None
    return written
