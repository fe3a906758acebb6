# SPDX-License-Identifier: Apache-2.0
"""A point of the design space with all its objectives, as JSON values."""

from __future__ import annotations

from typing import Any

from codesign.sweep.networks import Network
from codesign.sweep.resources import Resources
from codesign.sweep.space import Design

#: Energy proxy in pJ. DRAM: 1.3 nJ for 64 bits; 8-bit multiplication 0.2, 32-bit addition 0.1 (M. Horowitz, ISSCC 2014, 45 nm).
DRAM_BYTE_PJ, MAC_PJ = 1300 / 8, 0.3


#: what every point has, beside what some have: text, and numbers, of which those may be None that nothing was measured for
TEXTS = ("network", "design", "board", "fidelity")
NUMBERS = ("clock_mhz", "latency_ms", "fps", "macs", "energy_uj", "area", "lut", "ff", "dsp", "bram36")
PERHAPS = ("ap50", "cycles", "dram_bytes")
FIDELITIES = ("rtl", "planned", "planned by one policy", "estimated")


def checked_point(point: Any) -> dict[str, Any]:
    """``point``, as it came out of a file. Raises ValueError, TypeError or KeyError unless it is one."""
    if not all(isinstance(point[key], str) and 0 < len(point[key]) <= 2000 for key in TEXTS) or point["fidelity"] not in FIDELITIES:
        raise ValueError(f"a point's names are {[str(point[key])[:20] for key in TEXTS]}")
    values = [point[key] for key in NUMBERS] + [point[key] for key in PERHAPS if point[key] is not None]
    if not all(type(value) in (int, float) and value >= 0 for value in values):
        raise ValueError("a point's value is no number from 0 on")
    rtl = point.get("rtl", {})
    if type(point["front"]) is not bool or not isinstance(rtl, dict) or (point["fidelity"] == "rtl" and not isinstance(rtl["errors"], dict)):
        raise ValueError("a point does not say whether it is on the front, or what RTL gave")
    return dict(point)


def make_point(network: Network, design: Design, resources: Resources, cycles: float, moved: float) -> dict[str, Any]:
    """``cycles`` and ``moved`` (DRAM bytes) of a frame. All but ap50, macs and the clock are estimates."""
    board, used = design.board, resources.rounded()
    cycles, moved = (max(1, round(value)) if value < 1e18 else value for value in (cycles, moved))  # how many threads add up makes no difference
    shares = [used[name] / getattr(board.device, name) for name in used if getattr(board.device, name)]
    return {
        "network": network.name, "design": design.spec, "board": design.base, "ap50": network.ap50,
        "clock_mhz": board.clock_mhz, "cycles": cycles if cycles < 1e18 else None,
        "latency_ms": cycles / board.clock_mhz / 1e3, "fps": board.clock_mhz * 1e6 / cycles,
        "dram_bytes": moved if moved < 1e18 else None, "macs": network.macs,
        "energy_uj": (moved * DRAM_BYTE_PJ + network.macs * MAC_PJ) / 1e6,
        "area": sum(shares) / len(shares), **used,
    }  # fmt: skip
