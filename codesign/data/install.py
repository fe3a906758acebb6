# SPDX-License-Identifier: Apache-2.0
"""A known data set into a folder: fetch its archives, check them, unpack what is wanted, write the lists last.

Archives lie in ``.downloads/`` of the folder until they are unpacked; ``NAME.unpacked`` there says which are. Until the
lists are written the folder is not one that training would take for whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from codesign.data.archives import Archive, DataSet
from codesign.data.download import Report, fetch
from codesign.data.labels import text_lines
from codesign.data.unpack import unpack
from codesign.errors import UserError

Say = Callable[[str], None]


def install(
    data_set: DataSet, folder: Path, say: Say, fetching: Report, unpacking: Callable[[int], None], *, mirror: str | None = None,
    keep: bool = False,
) -> None:  # fmt: skip
    """Bring ``data_set`` to ``folder``; what is there from an earlier run is kept. ``mirror`` replaces the files' URL but their
    names; ``keep`` leaves the archives. Raises `UserError`.
    """
    store = folder / ".downloads"
    store.mkdir(parents=True, exist_ok=True)
    for archive in data_set.archives:
        done = store / f"{archive.file}.unpacked"
        if done.is_file():
            say(f"{archive.file}: unpacked before")
        else:
            _one(archive, _url(archive, mirror), store / archive.file, folder, say, fetching, unpacking)
            done.touch()
        if not keep:
            (store / archive.file).unlink(missing_ok=True)
    if data_set.labels:
        _write(folder / "labels.txt", list(data_set.labels))
    for target, parts in data_set.lists:
        _write(folder / target, [line for part in parts for line in text_lines(folder / part) if line.strip()])


def _one(archive: Archive, url: str, path: Path, folder: Path, say: Say, fetching: Report, unpacking: Callable[[int], None]) -> None:
    say(f"fetching {url}")
    found = fetch(url, path, archive.sha256, fetching)
    say(f"{archive.file}: SHA-256 {found}" + (" as expected" if archive.sha256 else " (no published one to compare with)"))
    count = unpack(path, folder, archive.target, unpacking)
    say(f"{archive.file}: {count:,} files unpacked to {folder}/")


def _url(archive: Archive, mirror: str | None) -> str:
    if mirror is None:
        return archive.url
    if not mirror.startswith(("http://", "https://")):
        raise UserError(f"--mirror {mirror}: must be a http or https address")
    return f"{mirror.rstrip('/')}/{archive.file}"


def _write(path: Path, lines: list[str]) -> None:
    partial = path.with_name(f".{path.name}.new")
    partial.write_text("\n".join(lines) + "\n")
    os.replace(partial, path)
