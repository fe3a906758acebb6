# SPDX-License-Identifier: Apache-2.0
"""Hostile model files: changed, with checksums that match, rather than damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.numpy import load, save

from codesign.nn.container import digest, header_digest


def forged(saved: Path, path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """``saved`` with its tensors and header changed, written to ``path``."""
    with safe_open(str(saved), framework="numpy") as file:
        header = json.loads(file.metadata()["codesign"])
    tensors = {name: value.copy() for name, value in load(saved.read_bytes()).items()}
    del header["header_sha256"]
    change(tensors, header)
    header["sha256"] = digest(tensors)
    header["header_sha256"] = header_digest(header)
    path.write_bytes(save(tensors, metadata={"codesign": json.dumps(header)}))
    return path
