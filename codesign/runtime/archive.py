# SPDX-License-Identifier: Apache-2.0
"""Deployment zips, read with care: nothing of one is used unless every byte of it is as it was written.

The zip's comment is ``sha256:`` and the SHA-256 of every byte before those 64 digits, so that a change anywhere, headers
and padding included, is noticed. MANIFEST.json holds size and SHA-256 of each file, and of itself. This protects
against damage, not against somebody who writes new checksums.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
import zipfile
import zlib
from typing import Any

from codesign.runtime.faults import PackageError

MANIFEST = "MANIFEST.json"
SCHEMA = 1
SEAL = b"sha256:"
DIGITS = 64
MAX_BYTES = 256 << 20  #: of the zip, and of all its files together
MAX_FILES = 500
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError, struct.error,
            KeyError, TypeError, AttributeError, IndexError)  # fmt: skip


def read_archive(path: str) -> dict[str, bytes]:
    """Every file of the zip at ``path`` but the manifest. Raises `PackageError`, one line, unless all of it is intact."""
    try:
        with open(path, "rb") as handle:
            large = os.fstat(handle.fileno()).st_size > MAX_BYTES
            data = b"" if large else handle.read(MAX_BYTES + 1)  # (a device has no size)
    except OSError as error:
        raise PackageError(f"{path} cannot be read: {error.strerror}; give the path of a zip that `codesign package` wrote") from None
    if large or len(data) > MAX_BYTES:
        raise PackageError(f"{path} is larger than {MAX_BYTES >> 20} MiB: not a deployment package; make one with `codesign package`")
    try:
        return _opened(data)
    except PackageError as error:
        raise PackageError(f"{path}: {error}; make it again with `codesign package`") from None
    except _DAMAGED as error:
        raise PackageError(
            f"{path}: damaged ({type(error).__name__}); make it again with `codesign package`"
        ) from None


def sealed(data: bytes) -> bytes:
    """A finished zip, whose comment is `blank_seal`, with the digest of its bytes in place of the blanks."""
    body = data[:-DIGITS]
    return body + hashlib.sha256(body).hexdigest().encode()


def blank_seal() -> bytes:
    """The comment to write before `sealed`."""
    return SEAL + b" " * DIGITS


def manifest_of(files: dict[str, bytes]) -> bytes:
    """MANIFEST.json of these files."""
    rows = {name: {"bytes": len(content), "sha256": _digest(content)} for name, content in sorted(files.items())}
    document = {"schema": SCHEMA, "files": rows}
    document["sha256"] = _digest(_canonical(document))
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _opened(data: bytes) -> dict[str, bytes]:
    if not data.startswith(b"PK") or data[-DIGITS - len(SEAL) : -DIGITS] != SEAL:
        raise PackageError("not a deployment package, or cut short")
    if _digest(data[:-DIGITS]).encode() != data[-DIGITS:]:
        raise PackageError("changed since it was written: its SHA-256 is another")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        _check_entries(entries)
        files = {entry.filename: _content(archive, entry) for entry in entries}
    _check_manifest(files.pop(MANIFEST, b""), files)
    return files


def _check_entries(entries: Any) -> None:
    """Names that stay where they are put, and sizes that were promised small."""
    if len(entries) > MAX_FILES:
        raise PackageError(f"{len(entries)} files, more than {MAX_FILES}")
    names = [entry.filename for entry in entries]
    for name in names:
        if len(name) > 200 or not _NAME.fullmatch(name):
            raise PackageError(f"a file is called {name[:60]!r}: names are relative, of letters, digits, . _ and -")
    if len({name.lower() for name in names}) < len(names):
        raise PackageError("two files have one name")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise PackageError(f"more than {MAX_BYTES >> 20} MiB when unpacked")
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PackageError(f"{entry.filename} is encrypted or compressed in another way than stored or deflated")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as handle:
        content = handle.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise PackageError(f"{entry.filename} has another size than its header says")
    return content


def _check_manifest(text: bytes, files: dict[str, bytes]) -> None:
    if not 0 < len(text) < 1 << 20:
        raise PackageError(f"holds no {MANIFEST}")
    document = json.loads(text.decode())
    if document.get("schema") != SCHEMA:
        raise PackageError(f"{MANIFEST} is of another version")
    digest = document.pop("sha256", "")
    if _digest(_canonical(document)) != digest:
        raise PackageError(f"{MANIFEST} was changed")
    rows = document["files"]
    if set(rows) != set(files):
        raise PackageError(f"other files than {MANIFEST} lists")
    for name, content in files.items():
        if rows[name] != {"bytes": len(content), "sha256": _digest(content)}:
            raise PackageError(f"{name} was changed")


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
