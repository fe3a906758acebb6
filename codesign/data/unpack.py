# SPDX-License-Identifier: Apache-2.0
"""Unpacking a tar or zip file into a data folder: only what is wanted, only plain files, nowhere else.

No name of an archive ever becomes a path as it stands: members are matched against rules, and what they are mapped to
is checked again. Files that are there with the right size are kept, so an interrupted run goes on.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from codesign.bounded import BROKEN_ARCHIVE
from codesign.errors import UserError

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)

Target = Callable[[str], str | None]
Report = Callable[[int], None]  #: members done
_Member = tuple[str, int, Callable[[], IO[bytes]]]


def unpack(archive: Path, folder: Path, target: Target, report: Report) -> int:
    """Write every member that ``target`` maps to a place below ``folder``; returns how many. Raises `UserError`."""
    if not archive.is_file():
        raise UserError(f"{archive}: no such archive; run the command again")
    try:
        with _members(archive) as members:
            return _write(archive, folder, members, target, report)
    except UserError:
        raise
    except (tarfile.TarError, *BROKEN_ARCHIVE) as error:
        if isinstance(error, OSError) and (error.filename or error.errno in _OF_THE_DISK):
            raise  # of the disk, not of the archive
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise UserError(f"{archive}: not a readable archive ({reason}); remove it and run the command again") from None


def _write(archive: Path, folder: Path, members: Iterator[_Member], target: Target, report: Report) -> int:
    root = folder.resolve()
    chosen = [(place, size, read) for name, size, read in members if (place := target(name)) is not None]
    if not chosen:
        raise UserError(f"{archive}: holds nothing of this data set; remove it and run the command again")
    _check_space(archive, root, sum(size for _, size, _ in chosen))
    for number, (place, size, read) in enumerate(chosen, start=1):
        path = _inside(archive, root, place)
        if not (path.is_file() and path.stat().st_size == size):
            _copy(read, path, size, archive)
        report(number)
    return len(chosen)


def _copy(read: Callable[[], IO[bytes]], path: Path, size: int, archive: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.unpacking")
    with read() as source, partial.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        written = file.tell()
    if written != size:
        partial.unlink()
        raise UserError(f"{archive}: {path.name} has {written} bytes, not {size}; remove the archive and run the command again")
    os.replace(partial, path)


def _inside(archive: Path, root: Path, place: str) -> Path:
    """The path of ``place`` below ``root``, links followed; a UserError where it would be elsewhere."""
    parts = PurePosixPath(place)
    path = root / parts
    if parts.is_absolute() or ".." in parts.parts or "\\" in place or "\0" in place or not path.parent.resolve().is_relative_to(root):
        raise UserError(f"{archive}: {place[:80]!r} would be written outside {root}; do not use this archive")
    if path.is_symlink():
        raise UserError(f"{path}: is a link, and unpacking follows none; remove it")
    return path


def _check_space(archive: Path, root: Path, wanted: int) -> None:
    free = shutil.disk_usage(root).free
    if wanted > free:
        raise UserError(f"{archive}: needs {wanted / 1e9:.1f} GB in {root}, {free / 1e9:.1f} GB are free; make room")


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """(name, bytes, opener) of the regular files in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir() and (info.external_attr >> 28) not in (0xA, 0x2, 0x6)]
            yield ((info.filename, info.file_size, lambda info=info: opened.open(info)) for info in infos)  # type: ignore[misc]
        return
    with tarfile.open(archive, _tar_mode(archive)) as packed:  # type: ignore[call-overload]
        yield ((info.name, info.size, lambda info=info: packed.extractfile(info)) for info in packed if info.isreg())  # type: ignore[misc]


def _tar_mode(archive: Path) -> str:
    """By the first bytes: left to try them all, a decompressor may look through gigabytes of zeros for a beginning."""
    with open(archive, "rb") as file:
        head = file.read(6)
    packers = {b"\x1f\x8b": "r:gz", b"BZh": "r:bz2", b"\xfd7zXZ\0": "r:xz"}
    return next((mode for magic, mode in packers.items() if head.startswith(magic)), "r:")
