# SPDX-License-Identifier: Apache-2.0
"""The instruction set as Markdown, out of `codesign.program.isa` itself: fields, bits, and what the comments there say.

    python -m codesign.program.table docs/architecture.md

puts it between the page's two marks.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from codesign.errors import UserError
from codesign.program import isa

BEGIN, END = "<!-- instructions: written by python -m codesign.program.table -->", "<!-- end of the instructions -->"
_BODIES = (("LOAD and STORE", "TRANSFER", isa.TRANSFER), ("POINTWISE", "POINTWISE", isa.POINTWISE), ("DEPTHWISE", "DEPTHWISE", isa.DEPTHWISE))
_ENUMS = (isa.Opcode, isa.Engine, isa.Mode, isa.Deform, isa.Fault)


def instruction_table() -> str:
    """Every layout: bits, field, what it means; then the codes of the fields that are enumerations."""
    parts = [f"An instruction has {isa.INSTRUCTION_BITS} bits, {isa.INSTRUCTION_BEATS} little-endian beats of 64. Every one begins with"]
    parts += _rows(isa.HEADER, _said("HEADER"), 0)
    start = sum(abs(width) for _, width in isa.HEADER)
    for title, name, fields in _BODIES:
        parts += ["", f"**{title}**, behind it:", *_rows(fields, _said(name), start)]
    parts += ["", "| codes | |", "|---|---|"]
    parts += [f"| {each.__name__.lower()} | {', '.join(f'{member.name} {int(member)}' for member in each)} |" for each in _ENUMS]
    return "\n".join(parts)


def _rows(fields: tuple[tuple[str, int], ...], said: dict[str, str], at: int) -> list[str]:
    rows = ["", "| bits | field | |", "|---|---|---|"]
    for name, width in fields:
        signed = "signed" if width < 0 else ""
        what = "; ".join(part for part in (signed, said.get(re.sub(r"\d+$", "", name) if name.startswith("wait") else name, "")) if part)
        bits = f"{at + abs(width) - 1}:{at}" if abs(width) > 1 else str(at)
        rows.append(f"| {bits} | `{name}` | {what} |")
        at += abs(width)
    return rows


def _said(layout: str) -> dict[str, str]:
    """The comments beside the fields of a layout, in the source."""
    source = inspect.getsource(isa)
    body = source[source.index(f"\n{layout}: ") :].split("\n)\n")[0]
    found = {name: text.replace("|", "\\|") for name, text in re.findall(r'^ {4}\("(\w+)", -?\d+\),  # (.+)$', body, re.MULTILINE)}
    return found | ({"wait": "tokens of that engine to wait for"} if layout == "HEADER" else {})


def written(page: str) -> str:
    """``page`` with the table between its marks. Raises UserError where they are missing."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise UserError(f"the page lacks the lines {BEGIN} and {END}; add them where the table belongs")
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{instruction_table()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    given = Path(sys.argv[1])
    given.write_text(written(given.read_text()))
