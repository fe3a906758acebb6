# SPDX-License-Identifier: Apache-2.0
"""Cycle-exact twins: what Verilator would compile slowly, written the way it and the C++ compiler like it.

`simulated` puts them into the Verilog just before it is compiled; the text in a build's folder, and what is synthesised,
stay as they are. tests/sim/test_twin.py proves each equal, cycle by cycle, to the form that is synthesised.
"""

from __future__ import annotations

from sim.twin import array, memory, modules, requantiser


def simulated(verilog: str) -> str:
    """The Verilog with twins in place of the modules it names in its ``// twin`` lines (see `hw.generate`), and
    each memory's masked write as one write. Text that is not what was generated keeps every module as it stands."""
    if modules.unedited(verilog):
        verilog = requantiser.replaced(array.replaced(verilog))
    return memory.whole_writes(verilog)


def edited(verilog: str) -> bool:
    """Whether the text asks for twins but is not what was generated."""
    return modules.asks(verilog) and not modules.unedited(verilog)
