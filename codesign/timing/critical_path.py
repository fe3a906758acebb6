# SPDX-License-Identifier: Apache-2.0
"""The slowest path between two registers in nextpnr's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codesign.timing.netlist import Netlist


@dataclass(frozen=True)
class CriticalPath:
    """``logic_ns`` holds clock-to-output, cells and setup; ``routing_ns`` the wires. ``cells`` counts the steps of logic,
    carry included."""

    start: str
    end: str
    logic_ns: float
    routing_ns: float
    cells: int

    @classmethod
    def read(cls, report: dict[str, Any], netlist: Netlist) -> CriticalPath | None:
        """Of nextpnr's ``--report``; None where no path lies between two registers."""
        clocked = [path["path"] for path in report["critical_paths"] if _between_registers(path)]
        if not clocked:
            return None
        steps = max(clocked, key=lambda path: sum(step["delay"] for step in path))
        routing = sum(step["delay"] for step in steps if step["type"] == "routing")
        return cls(
            netlist.register(steps[0]["from"]["cell"]),
            netlist.register(steps[-1]["to"]["cell"]),
            round(sum(step["delay"] for step in steps) - routing, 2),
            round(routing, 2),
            sum(step["type"] == "logic" for step in steps),
        )


def _between_registers(path: dict[str, Any]) -> bool:
    return all(path[end].startswith("posedge") for end in ("from", "to")) and bool(path["path"])
