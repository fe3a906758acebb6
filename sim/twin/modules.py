# SPDX-License-Identifier: Apache-2.0
"""Modules in generated Verilog, and the ``// twin NAME key=value ...`` lines that ask for twins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

_SUM = re.compile(r"^// twins of sha256 ([0-9a-f]{64})\n(?:// twin .*\n)+\Z", re.M)


def asks(verilog: str) -> bool:
    """Whether there is any request for twins."""
    return re.search(r"^// twin", verilog, re.M) is not None


def unedited(verilog: str) -> bool:
    """Whether the text ends with its request for twins, and is what the request was made for."""
    found = _SUM.search(verilog)
    return found is not None and hashlib.sha256(verilog[: found.start()].encode()).hexdigest() == found[1]


def wanted(verilog: str, name: str) -> dict[str, int] | None:
    """Parameters of the twin ``name`` that the text asks for; None if it does not."""
    found = re.search(rf"^// twin {name}\b(.*)$", verilog, re.M)
    if found is None:
        return None
    return {key: int(value) for key, value in (pair.split("=") for pair in found[1].split())}


def replace_bodies(verilog: str, instance: str, body: Callable[[str], str]) -> str:
    """Every module whose hierarchical name ends in a match of ``instance`` with a new body; its head stays.
    ``body`` gets the old one."""
    pattern = rf"^(module \\\S*\.{instance} +\([^;]*;\n)(.*?)^endmodule\n"
    return re.sub(pattern, lambda m: f"{m[1]}{body(m[2])}endmodule\n", verilog, flags=re.M | re.S)
