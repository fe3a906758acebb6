# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of what a safetensors file says, whatever the order of its header: the library writes that as it comes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

_MOST_HEADER = 100 << 20  #: bytes, safetensors' own limit


def digest(path: Path) -> str:
    """Of header, keys sorted, and data; of the bytes where the file is none of safetensors; empty where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    size = int.from_bytes(content[:8], "little")
    try:
        if size > _MOST_HEADER:
            raise ValueError
        header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha256(header + b"\0" + content[8 + size :]).hexdigest()
