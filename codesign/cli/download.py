# SPDX-License-Identifier: Apache-2.0
"""`codesign download`: public data sets from their publishers, in a layout that training reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from codesign.cli.output import console
from codesign.cli.progress import LINE_SECONDS, remaining


def download_command(
    name: Annotated[str, typer.Argument(metavar="voc|bccd|coco", help="The data set.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    mirror: Annotated[str | None, typer.Option("--mirror", metavar="URL", help="Another address of files of the same names.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the archives in DIR/.downloads/.")] = False,
) -> None:
    """Fetch, check and unpack a data set; interrupt it and the same command goes on.

    voc: VOC 2007 and 2012 trainval merged, tested on VOC 2007 test. bccd: blood cells. coco: COCO 2017.
    """
    from codesign.data.archives import DATA_SETS
    from codesign.data.folder import has_split, layout
    from codesign.data.install import install
    from codesign.errors import UserError

    if name not in DATA_SETS:
        raise UserError(f"{name!r}: no such data set; known are {', '.join(DATA_SETS)}")
    out = console()
    out.print(f"{DATA_SETS[name].title} -> {folder}/")
    meter = _Meter(out)
    try:
        install(DATA_SETS[name], folder, meter.say, meter.bytes, meter.files, mirror=mirror, keep=keep)
    finally:
        meter.close()
    kind = {"voc": "Pascal VOC", "coco": "COCO"}[layout(folder)]
    splits = " and ".join(split for split in ("train", "test") if has_split(folder, split))
    out.print(f"{folder}: {kind} layout, {splits}; next: codesign train --data {folder} --out my-run")


class _Meter:
    """A passing line on a terminal, now and then a line in a log."""

    def __init__(self, out: Console):
        self._out = out
        self._status = out.status("") if out.is_terminal else None
        self._began = self._shown = time.monotonic()
        self._first: int | None = None

    def say(self, text: str) -> None:
        """A line that stays; what follows is timed from here."""
        self._out.print(text)
        self._began = self._shown = time.monotonic()
        self._first = None

    def bytes(self, here: int, total: int | None) -> None:
        """So much of a file has arrived."""
        first = self._first = here if self._first is None else self._first
        seconds = time.monotonic() - self._began
        share = f" of {total / 1e6:,.0f}" if total else ""
        self._passing(f"{here / 1e6:,.0f}{share} MB, {remaining(seconds, here - first, (total or here) - here)}")

    def files(self, number: int) -> None:
        """So many files are unpacked."""
        self._passing(f"{number:,} files unpacked")

    def _passing(self, text: str) -> None:
        if self._status:
            self._status.update(text)
            self._status.start()
        elif time.monotonic() - self._shown > LINE_SECONDS:
            self._out.print(f"       {text}")
            self._shown = time.monotonic()

    def close(self) -> None:
        """Take the passing line away."""
        if self._status:
            self._status.stop()
