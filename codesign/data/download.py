# SPDX-License-Identifier: Apache-2.0
"""Fetching a file over HTTP so that an interrupted fetch goes on where it stopped, and what arrived is checked."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codesign.errors import UserError

Report = Callable[[int, int | None], None]  #: bytes here, bytes in all if the server says

TIMEOUT = 60.0  #: seconds without a byte
_BLOCK = 1 << 20


def fetch(url: str, target: Path, sha256: str | None, report: Report) -> str:
    """Bring ``url`` to ``target`` and return its SHA-256; what is there already is kept if its digest fits.

    A part of a file stays beside it as ``NAME.part`` and is continued, if the server still has the same file. Raises
    `UserError` where the server refuses, the connection breaks (the part is kept), or the digest is another.
    """
    if target.is_file():
        found = digest(target)
        if sha256 in (None, found):
            return found
        target.unlink()
    part, note = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    _transfer(url, part, note, report)
    found = digest(part)
    if sha256 not in (None, found):
        part.unlink()
        note.unlink(missing_ok=True)
        raise UserError(f"{url}: SHA-256 is {found}, not {sha256}; it was removed; run the command again or take another --mirror")
    os.replace(part, target)
    note.unlink(missing_ok=True)
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _transfer(url: str, part: Path, note: Path, report: Report) -> None:
    have = part.stat().st_size if part.exists() else 0
    known = _note(note) if have else {}
    headers = {"User-Agent": "codesign", "Accept-Encoding": "identity"}
    if have and known.get("url") == url and known.get("tag"):
        headers |= {"Range": f"bytes={have}-", "If-Range": str(known["tag"])}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            _receive(url, answer, part, note, have, report)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and "Range" in headers and have == known.get("bytes"):
            return  # the part is the whole file
        if error.code == 416:
            part.unlink()
        raise UserError(f"{url}: the server answered {error.code} {error.reason}; try again later or take another --mirror") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{url}: {reason}; what has arrived is kept, run the command again to go on") from None


def _receive(url: str, answer: Any, part: Path, note: Path, have: int, report: Report) -> None:
    """Append to the part where the server continues it, else begin anew."""
    start = _continued(answer.headers.get("Content-Range")) if answer.status == 206 else 0
    if start not in (0, have):
        raise OSError(f"the server continued at byte {start}, not {have}")
    length = answer.headers.get("Content-Length")
    total = start + int(length) if length is not None else None
    tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    if tag and tag.startswith("W/"):  # a weak tag does not say that bytes are the same
        tag = answer.headers.get("Last-Modified")
    note.write_text(json.dumps({"url": url, "tag": tag, "bytes": total}))
    arrived = start
    with part.open("r+b" if start else "wb") as file:
        file.truncate(start)
        file.seek(start)
        while block := answer.read(_BLOCK):
            file.write(block)
            arrived += len(block)
            report(arrived, total)
    if total is not None and arrived < total:
        raise OSError(f"the connection ended after {arrived:,} of {total:,} bytes")


def _continued(text: str | None) -> int:
    """``bytes 100-199/200``: 100."""
    try:
        return int((text or "").removeprefix("bytes ").split("-")[0])
    except ValueError:
        raise OSError(f"the server answered with Content-Range {str(text)[:60]!r}") from None


def _note(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
