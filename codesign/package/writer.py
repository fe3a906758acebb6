# SPDX-License-Identifier: Apache-2.0
"""Writes a deployment zip; the same content gives the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from codesign.boards import Board
from codesign.build.artefacts import PACKAGE_ROOT, json_text, write_whole
from codesign.graph.ir import Graph
from codesign.package.description import describe
from codesign.program.isa import INSTRUCTION_BYTES
from codesign.program.program import Program
from codesign.runtime.archive import MANIFEST, blank_seal, manifest_of, sealed
from codesign.runtime.package import DESCRIPTION, LABELS, OVERLAY, PROGRAM, WEIGHTS

#: What the driver is made of beside codesign/runtime
DRIVER = ("codesign/__init__.py", "codesign/errors.py", "codesign/decode.py", "codesign/program/__init__.py",
          "codesign/program/isa.py", "codesign/program/registers.py")  # fmt: skip
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def package_files(
    graph: Graph, program: Program, board: Board, content: np.ndarray | None = None, overlay: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """Every file of a package by name. ``content`` replaces the program's own; ``overlay`` are .bit and .hwh."""
    memory = (program.content if content is None else content).tobytes()
    weights = program.params_address
    files = {
        DESCRIPTION: json_text(describe(graph, program, board)).encode(),
        PROGRAM: memory[: INSTRUCTION_BYTES * len(program.instructions)],
        WEIGHTS: memory[weights:],
        LABELS: "".join(f"{label}\n" for label in graph.meta.get("labels", [])).encode(),
    }
    files |= {OVERLAY + suffix: data for suffix, data in (overlay or {}).items()}
    return files | {f"driver/{name}": text for name, text in driver_files().items()}


def driver_files() -> dict[str, bytes]:
    """The driver's own sources by their path."""
    runtime = sorted(path.relative_to(PACKAGE_ROOT).as_posix() for path in (PACKAGE_ROOT / "codesign/runtime").glob("*.py"))
    return {name: (PACKAGE_ROOT / name).read_bytes() for name in (*DRIVER, *runtime)}


def write_package(path: Path, files: Mapping[str, bytes]) -> int:
    """Write the zip of these files; the answer is its size in bytes."""
    everything = {**files, MANIFEST: manifest_of(dict(files))}
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(everything.items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
        archive.comment = blank_seal()
    data = sealed(raw.getvalue())
    write_whole(path, data)
    return len(data)
