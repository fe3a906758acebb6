# SPDX-License-Identifier: Apache-2.0
"""The instruction table of the architecture page is the one the planner encodes with."""

from __future__ import annotations

from pathlib import Path

from codesign.program import isa
from codesign.program.table import instruction_table, written

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def test_the_page_holds_the_table_as_it_is_generated() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "run: python -m codesign.program.table docs/architecture.md"


def test_every_field_is_in_the_table_at_its_place() -> None:
    """Checked against an instruction: the bits that the table names are those that `encode` sets."""
    table = instruction_table()
    for opcode in isa.Opcode:
        empty = int.from_bytes(isa.encode(opcode, {}), "little")
        for name, width in isa.BODIES[opcode]:
            value = -1 if width < 0 else (1 << width) - 1
            bits = int.from_bytes(isa.encode(opcode, {name: value}), "little") ^ empty
            low, high = (bits & -bits).bit_length() - 1, bits.bit_length() - 1
            assert f"| {high}:{low} | `{name}` |" in table or f"| {low} | `{name}` |" in table, (opcode, name)
