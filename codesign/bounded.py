# SPDX-License-Identifier: Apache-2.0
"""Files that anybody may have written, read within limits that are known before anything is read. Needs NumPy alone."""

from __future__ import annotations

import json
import lzma
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from codesign.errors import UserError

MIB = 1 << 20
MOST_OF_STREAM = 64 * MIB  #: read of what is no plain file
BROKEN_ARCHIVE = (OSError, ValueError, EOFError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
                  struct.error, SyntaxError, TypeError, OverflowError)  # fmt: skip
_AXES = 32  #: of an array


def read_bytes(path: str | Path, most: int) -> bytes:
    """The whole file, if it has at most ``most`` bytes. Raises UserError: one line that names the file."""
    try:
        with open(path, "rb") as file:
            state = os.fstat(file.fileno())
            plain = stat.S_ISREG(state.st_mode)
            limit = most if plain else min(most, MOST_OF_STREAM)  # a device has no size
            content = b"" if plain and state.st_size > most else file.read((state.st_size if plain else limit) + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({said}); check the path and its permissions") from None
    if len(content) > limit or state.st_size > most:
        raise UserError(f"{path}: larger than {shown_size(limit)}; give a smaller file")
    return content


def read_json(path: str | Path, most: int = 32 * MIB) -> Any:
    """The JSON document in a file. Raises UserError: one line that names the file."""
    content = read_bytes(path, most)
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable JSON ({reason(error, 100)}); restore or remove it") from None


def check_size(path: str | Path, most: int) -> None:
    """Refuse a file of more than ``most`` bytes, which a library will open itself. Raises UserError."""
    try:
        size = os.stat(path).st_size
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({said}); check the path and its permissions") from None
    if size > most:
        raise UserError(f"{path}: larger than {shown_size(most)}; give a smaller file")


def reason(error: object, most: int = 160) -> str:
    """What a library says about a file, for a message: one line, printable, the start of it."""
    text = " ".join(str(error).split())[:most]
    return "".join(c if c.isprintable() else "?" for c in text)


def shown_size(size: int) -> str:
    """Bytes for a message."""
    return f"{size >> 20} MiB" if size >= MIB else f"{size} bytes"


class Arrays:
    """A NumPy archive (.npz) whose arrays are read one by one, once their size is known to be right."""

    def __init__(self, archive: zipfile.ZipFile):
        self._entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist() if entry.filename.endswith(".npy")}
        self._archive = archive

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str, shape: tuple[int, ...], kinds: str = "i") -> np.ndarray:
        """The array of this name. Raises ValueError unless it has this shape and its type is one of NumPy's ``kinds``,
        KeyError where there is none."""
        with self._archive.open(self._entries[name]) as file:
            found, fortran, kind = _header(file)
            if found != tuple(shape) or kind.kind not in kinds:
                raise ValueError(f"{name} is {kind} {found}; {'whole numbers' if set(kinds) <= set('iu') else 'numbers'} {tuple(shape)} are wanted")
            size = math.prod(found) * kind.itemsize
            data = file.read(size)
            if len(data) != size or file.read(1):
                raise ValueError(f"{name} has another size than its header says")
        order = found[::-1] if fortran else found
        array = np.frombuffer(data, kind).reshape(order)
        return (array.T if fortran else array).copy()


@contextmanager
def opened_arrays(path: str | Path) -> Iterator[Arrays]:
    """The archive at ``path``, open. What is damaged raises `BROKEN_ARCHIVE`, here and while arrays are read."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path}: no such file")
    with zipfile.ZipFile(path) as archive:
        yield Arrays(archive)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type: of plain values alone, which itself reads nothing but numbers."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of NumPy's format is not known")
    shape, fortran, kind = read(file)
    if kind.hasobject or kind.kind not in "iufb" or len(shape) > _AXES or any(side < 0 for side in shape):
        raise ValueError(f"an array of {str(kind)[:40]} {str(shape)[:60]}")
    return shape, fortran, kind


def check_range(name: str, value: object, least: float, most: float) -> None:
    """Refuse a number outside `least`..`most` (both allowed), whole where `least` is; the message names the value."""
    whole = type(least) is int
    if type(value) not in ((int,) if whole else (int, float)) or not least <= value <= most:  # type: ignore[operator]
        kind = "whole number" if whole else "number"
        raise UserError(f"{name} is {shown_value(value)}; it must be a {kind}, {least:,} to {most:,}")


def shown_value(value: object, most: int = 60) -> str:
    """A value as Python writes it, cut after `most` characters."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out very long numbers
        text = "(a very long number)"
    return text if len(text) <= most else f"{text[: most - 3]}..."
