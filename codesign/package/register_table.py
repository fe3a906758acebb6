# SPDX-License-Identifier: Apache-2.0
"""The register map as docs/driver.md prints it, from the definition the RTL is generated from."""

from __future__ import annotations

from codesign.program.isa import Fault
from codesign.program.registers import MEANING


def register_table() -> str:
    """Markdown: a line a register."""
    rows = [f"| {int(r):#04x} | {r.name} | {access} | {text} |" for r, (access, text) in sorted(MEANING.items())]
    return "\n".join(["| offset | register | access | meaning |", "|---|---|---|---|", *rows])


def fault_table() -> str:
    """Markdown: a line a fault code, with the exception that reports it."""
    from codesign.runtime.faults import FAULTS

    rows = [f"| {int(f)} | {f.name} | `{FAULTS[f].__name__}` | {FAULTS[f].meaning} |" for f in Fault if f in FAULTS]
    return "\n".join(["| code | fault | exception | meaning |", "|---|---|---|---|", *rows])
