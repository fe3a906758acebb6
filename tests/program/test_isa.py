# SPDX-License-Identifier: Apache-2.0
"""Encoding is the inverse of decoding, refuses what does not fit, and the disassembler reads it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.errors import UserError
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.disasm import disassemble


def _values(opcode: isa.Opcode):
    def limits(width: int):
        bits = abs(width)
        return (
            st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
            if width < 0
            else st.integers(0, (1 << bits) - 1)
        )

    return st.fixed_dictionaries({n: limits(w) for n, w in isa.fields(opcode) if n != "opcode"})


@pytest.mark.parametrize("opcode", list(isa.Opcode))
@settings(deadline=None)
@given(data=st.data())
def test_decode_inverts_encode(opcode: isa.Opcode, data) -> None:
    values = data.draw(_values(opcode))
    raw = isa.encode(opcode, values)
    assert len(raw) == isa.INSTRUCTION_BYTES
    assert isa.decode(raw) == (opcode, values | {"opcode": int(opcode)})


def test_a_value_outside_its_field_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="rows = 70000"):
        isa.encode(isa.Opcode.LOAD, {"rows": 70000})
    with pytest.raises(ValueError, match="colour"):
        isa.encode(isa.Opcode.LOAD, {"colour": 1})


def test_disassembly_shows_fields_waits_and_layer() -> None:
    code = isa.encode(isa.Opcode.LOAD, {"rows": 3, "wait2": 5}) + isa.encode(isa.Opcode.HALT, {})
    lines = list(disassemble(code, AcceleratorConfig().engines, ["stem"]))
    assert (
        "LOAD" in lines[0]
        and "rows=3" in lines[0]
        and "@pointwise>=5" in lines[0]
        and lines[0].endswith("; stem")
    )
    assert "HALT" in lines[1] and len(lines) == 2


@pytest.mark.parametrize("code", [b"\0" * 64, b"", isa.encode(isa.Opcode.LOAD, {})])
def test_what_is_no_program_is_refused(code: bytes) -> None:
    with pytest.raises(UserError):
        list(disassemble(code, AcceleratorConfig().engines))


def test_random_bytes_are_lines_or_one_user_error() -> None:
    reasons = set()
    for seed in range(300):
        try:
            list(disassemble(random.Random(seed).randbytes(512), AcceleratorConfig().engines))
        except UserError as error:
            assert "is this a program file" in str(error) or "no HALT" in str(error)
            reasons.add(str(error).split("not a valid ")[-1])
    assert "Deform; is this a program file?" in reasons


@pytest.mark.parametrize(
    "setting", [{"lanes": 7}, {"spad_banks": 3}, {"acc_bits": 20}, {"depthwise_units": 0}]
)
def test_a_bad_setting_names_itself(setting: dict[str, int]) -> None:
    with pytest.raises(UserError, match=next(iter(setting))):
        AcceleratorConfig(**setting)
