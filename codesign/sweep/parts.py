# SPDX-License-Identifier: Apache-2.0
"""A synthesised accelerator by its parts: LUTs, flip-flops and block RAMs of each, from Yosys' statistics by module."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from codesign.build.yosys import TOP, cells_below, xilinx_counts

PARTS = ("array", "pointwise", "depthwise", "scratchpad", "fetch", "rest")  #: ``depthwise`` is all units
_UNIT = re.compile(r"depthwise\d+$")


def parts(statistics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """part -> lut, ff, bram36, of `stat -json` after synth_xilinx."""
    modules = {name.lstrip("\\"): module["num_cells_by_type"] for name, module in statistics["modules"].items()}
    found: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    for cell, count in modules[TOP].items():
        name = cell.lstrip("\\")
        if name not in modules:
            found["rest"][cell] += count
            continue
        part = _part(name.removeprefix(f"{TOP}."))
        below = cells_below(statistics["modules"], name)
        inner = cells_below(statistics["modules"], f"{name}.array") if part == "pointwise" else Counter()
        found["array"].update({kind: each * count for kind, each in inner.items()})
        below.subtract(inner)
        found[part].update({kind: each * count for kind, each in below.items()})
    return {part: _without_dsp(xilinx_counts(cells)) for part, cells in found.items()}


def _part(name: str) -> str:
    if _UNIT.match(name):
        return "depthwise"
    return name if name in ("pointwise", "scratchpad", "fetch") else "rest"


def _without_dsp(counts: dict[str, float]) -> dict[str, float]:
    return {key: counts[key] for key in ("lut", "ff", "bram36")}
