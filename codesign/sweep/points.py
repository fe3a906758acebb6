# SPDX-License-Identifier: Apache-2.0
"""A point of the design space with all its objectives, as JSON values."""

from __future__ import annotations

from typing import Any

from codesign.sweep.networks import Network
from codesign.sweep.resources import Resources
from codesign.sweep.space import Design

#: Energy proxy in pJ. DRAM: 1.3 nJ for 64 bits; 8-bit multiplication 0.2, 32-bit addition 0.1 (M. Horowitz, ISSCC 2014, 45 nm).
DRAM_BYTE_PJ, MAC_PJ = 1300 / 8, 0.3


def make_point(network: Network, design: Design, resources: Resources, cycles: float, moved: float) -> dict[str, Any]:
    """``cycles`` and ``moved`` (DRAM bytes) of a frame. All but ap50, macs and the clock are estimates."""
    board, used = design.board, resources.rounded()
    shares = [used[name] / getattr(board.device, name) for name in used if getattr(board.device, name)]
    return {
        "network": network.name, "design": design.spec, "board": design.base, "ap50": network.ap50,
        "clock_mhz": board.clock_mhz, "cycles": round(cycles) if cycles < 1e18 else None,
        "latency_ms": cycles / board.clock_mhz / 1e3, "fps": board.clock_mhz * 1e6 / cycles,
        "dram_bytes": round(moved) if moved < 1e18 else None, "macs": network.macs,
        "energy_uj": (moved * DRAM_BYTE_PJ + network.macs * MAC_PJ) / 1e6,
        "area": sum(shares) / len(shares), **used,
    }  # fmt: skip
