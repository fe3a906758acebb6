# SPDX-License-Identifier: Apache-2.0
"""Text of a program: one line per instruction, from its encoded bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codesign.errors import UserError
from codesign.program import isa


def disassemble(code: bytes, engines: Sequence[str], notes: Sequence[str] = ()) -> Iterator[str]:
    """Lines of ``code`` (a multiple of 64 bytes, or less after HALT). ``notes[i]`` (the layer) ends line i.

    Only fields that are not zero are shown; waits as ``@engine>=count``. Stops after HALT. Raises UserError on
    bytes that are no instruction.
    """
    for index in range(len(code) // isa.INSTRUCTION_BYTES):
        raw = code[index * isa.INSTRUCTION_BYTES : (index + 1) * isa.INSTRUCTION_BYTES]
        try:
            opcode, values = isa.decode(raw)
            line = _line(opcode, values, engines)
        except (ValueError, LookupError) as error:
            raise UserError(f"instruction {index}: {error}; is this a program file?") from error
        note = f"  ; {notes[index]}" if index < len(notes) and notes[index] else ""
        yield f"{index:6d}  {line}{note}"
        if opcode == isa.Opcode.HALT:
            return
    raise UserError("the program has no HALT; the file is truncated or not a program")


def _line(opcode: isa.Opcode, values: dict[str, int], engines: Sequence[str]) -> str:
    engine = values["engine"]
    name = engines[engine] if engine < len(engines) else f"engine{engine}"
    waits = [
        f"@{engines[e] if e < len(engines) else e}>={values[f'wait{e}']}"
        for e in range(isa.MAX_ENGINES)
        if values[f"wait{e}"]
    ]
    hidden = {"opcode", "engine", "index"} | {f"wait{e}" for e in range(isa.MAX_ENGINES)}
    shown = [f"{k}={_value(k, v)}" for k, v in values.items() if v and k not in hidden]
    return " ".join([f"{opcode.name:<9}", f"{name:<10}", *shown, *waits]).rstrip()


def _value(name: str, value: int) -> str:
    if name in ("src", "dst", "off_src", "spad_addr", "dram_addr", "param_addr", "dst_mask"):
        return f"{value:#x}"
    if name == "mode":
        return isa.Mode(value).name
    if name == "deform":
        return isa.Deform(value).name
    return str(value)
