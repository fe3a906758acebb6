# SPDX-License-Identifier: Apache-2.0
"""One register map: the enumeration, the RTL, the documentation and what the driver does."""

from __future__ import annotations

import re
from pathlib import Path

from codesign.package.description import shape_word
from codesign.package.register_table import fault_table, register_table
from codesign.program.isa import Fault
from codesign.program.registers import MEANING, Register
from codesign.runtime import AcceleratorFault, Detector, Traced
from codesign.runtime.faults import FAULTS, fault_of
from codesign.virtual import VirtualBoard
from hw.registers import HELD_WHILE_BUSY, WRITTEN
from tests.runtime import small

PAGE = Path(__file__).resolve().parents[2] / "docs" / "driver.md"


def test_every_register_has_a_meaning() -> None:
    assert list(MEANING) == list(Register)


def test_the_rtl_writes_and_holds_what_the_table_says() -> None:
    writable = {register for register, (access, _) in MEANING.items() if "W" in access}
    assert writable == {*WRITTEN.values(), Register.CONTROL, Register.IRQ}
    held = {register for register, (access, _) in MEANING.items() if "H" in access}
    assert held == {WRITTEN[name] for name in HELD_WHILE_BUSY}


def test_the_accelerator_reads_and_keeps_what_the_table_says(board: VirtualBoard) -> None:
    for register, (access, _) in MEANING.items():
        if register in (Register.CONTROL, Register.COUNTERS):
            continue
        before = board.register_read(register)
        board.register_write(register, 0x0000_1281)
        after = board.register_read(register)
        if "W" in access:
            assert after == (1 if register == Register.IRQ else 0x1281), register
        else:
            assert after == before, register
    assert shape_word(small.CONFIG) == board.register_read(Register.SHAPE)


def test_the_documentation_has_the_tables() -> None:
    text = PAGE.read_text()
    assert register_table() in text
    assert fault_table() in text


def documented(heading: str) -> list[tuple[str, str]]:
    """The accesses docs/driver.md lists under a heading: ``write PROGRAM``, ``read STATUS`` ..."""
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\d+\. (read|write) `(\w+)`", section, re.M)


def without_polls(trace: list) -> list[tuple[str, str]]:
    """Several looks at STATUS in a row as one."""
    steps = [(access.kind, access.register) for access in trace]
    return [step for number, step in enumerate(steps) if number == 0 or step != steps[number - 1] or step != ("read", "STATUS")]


def test_the_trace_is_the_documented_one(package: Path, board: VirtualBoard) -> None:
    traced = Traced(board)
    with Detector.from_package(str(package), traced) as detector:
        opening, traced.trace = traced.trace, []
        detector.detect(small.pictures(1)[0])
        frame, traced.trace = traced.trace, []
    assert without_polls(opening) == documented("Opening")
    assert without_polls(frame) == documented("A frame")
    assert without_polls(traced.trace) == documented("Closing")
    for access in (*opening, *frame, *traced.trace):
        kinds = MEANING[Register[access.register]][0]
        assert ("R" if access.kind == "read" else "W") in kinds, access


def test_every_fault_code_has_a_class_of_its_own() -> None:
    assert set(FAULTS) == {int(fault) for fault in Fault} - {int(Fault.NONE)}
    assert len({cls for cls in FAULTS.values()}) == len(FAULTS)
    for code, cls in FAULTS.items():
        error = fault_of(code | 2 << 8 | 77 << 16, ("load", "store", "pointwise"))
        assert type(error) is cls and (error.code, error.engine, error.index) == (code, 2, 77)
        assert "engine pointwise, instruction 77" in str(error)
    strange = fault_of(0xEE | 9 << 8, ())
    assert type(strange) is AcceleratorFault and strange.code == 0xEE
