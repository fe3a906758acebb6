# SPDX-License-Identifier: Apache-2.0
"""The build folder: hashes, whole-or-nothing writes, one build at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesign.bounded import BROKEN_ARCHIVE, reason, shown_size
from codesign.errors import UserError

MOST_HASHED = 2 << 30  #: bytes
PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_DAMAGED = (*BROKEN_ARCHIVE, IndexError, AttributeError, RecursionError, ZeroDivisionError)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content; empty for a file that is not there. Raises UserError for what is no plain file."""
    digest = hashlib.sha256()
    if not os.path.lexists(path):
        return ""
    if not path.is_file() or path.stat().st_size > MOST_HASHED:
        raise UserError(f"{path}: no plain file of at most {shown_size(MOST_HASHED)}; restore or remove it")
    try:
        with open(path, "rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def text_hash(*parts: object) -> str:
    """SHA-256 of values that print as what they are."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()


def source_hash(*names: str) -> str:
    """SHA-256 of the package's own sources under these files or folders, so that other code means another result."""
    digest = hashlib.sha256()
    for name in names:
        root = PACKAGE_ROOT / name
        files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.suffix in (".py", ".cpp", ".hpp", ".h"))
        for path in files:
            digest.update(str(path.relative_to(PACKAGE_ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def json_text(document: Any) -> str:
    """JSON as the project writes it: what is not a finite number is null."""
    return json.dumps(_finite(document), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """What goes wrong while an artefact is read, which the user may have edited, as a line with the remedy."""
    try:
        yield
    except _DAMAGED as error:
        raise UserError(
            f"{path} cannot be read ({type(error).__name__}: {reason(error)}); restore it or build with --fresh"
        ) from error


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file whole or not at all, creating its folder. Links are followed; devices and pipes written to."""
    partial = ""
    try:
        if _is_stream(path):
            _append(path, data.encode() if isinstance(data, str) else data)
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError):
            said = error.strerror or str(error)
            raise UserError(f"{path} cannot be written: {said}; check the disk's space and permissions") from None
        raise


def _is_stream(path: Path) -> bool:
    """A device, a pipe, or one of the process' own open files (/dev/stdout), which is not to be replaced."""
    return path.exists() and (not path.is_file() or str(path.absolute()).startswith(("/dev/", "/proc/")))


def _append(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
        file.write(data)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """The folder, created and writable, held by this process alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(f"output folder {folder} cannot be written: {error.strerror}; choose another with --out") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UserError(f"another build is running in {folder}; wait for it or choose another with --out") from None
    try:
        yield folder
    finally:
        lock.close()
