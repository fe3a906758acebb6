# SPDX-License-Identifier: Apache-2.0
"""Finished rows as files, so that a killed run goes on with the next configuration."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from codesign.bench.float_time import runtime_version
from codesign.bench.measurement import Row
from codesign.boards import Board
from codesign.bounded import read_json
from codesign.build.artefacts import file_hash, json_text, source_hash, text_hash, write_whole
from codesign.build.options import BuildOptions
from codesign.errors import UserError

SOURCES = ("codesign/bench", "codesign/golden", "codesign/graph", "codesign/lower", "codesign/nn", "codesign/numeric.py",
           "codesign/plan", "codesign/program", "codesign/verify", "hw", "sim")  # fmt: skip


class RowStore:
    """``BOARD-CONFIG.json`` in ``folder``. A row holds for the code, board and model it was measured with."""

    def __init__(self, folder: Path, board: Board):
        self._folder, self._board = folder, board
        self._sources = source_hash(*SOURCES)

    def get(self, options: BuildOptions) -> Row | None:
        """The finished row; None if there is none that still holds, or it cannot be read."""
        try:
            document = read_json(self._path(options))
            if document["key"] != self._key(options):
                return None
            row = Row(**document["row"])
            return replace(row, input=(int(row.input[0]), int(row.input[1])), kept=True)
        except (UserError, ValueError, KeyError, TypeError, IndexError):
            return None

    def put(self, options: BuildOptions, row: Row) -> None:
        write_whole(self._path(options), json_text({"key": self._key(options), "row": asdict(row)}))

    def _path(self, options: BuildOptions) -> Path:
        return self._folder / f"{self._board.name}-{options.config}.json"

    def _key(self, options: BuildOptions) -> str:
        board, model = self._board, options.trained_model
        parts = (board.accelerator, board.dram, board.clock_mhz, file_hash(model) if model else "", runtime_version())
        return text_hash(*parts, self._sources)
