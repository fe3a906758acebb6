# SPDX-License-Identifier: Apache-2.0
"""Writes under a mask: one write of a whole row instead of one per part, each of which Verilator would keep apart."""

from __future__ import annotations

import re

_BLOCK = re.compile(
    r"  always @\(posedge clk\) begin\n((?:    if \(\S+ \[\d+\]\)\n      \S.*\]\[\d+:\d+\] <= [^\n]*;\n){2,})  end\n"
)
_WRITE = re.compile(r"    if \((\S+) \[(\d+)\]\)\n      (\S.*\])\[(\d+):(\d+)\] <= ([^\n]*);\n")


def whole_writes(verilog: str) -> str:
    """The Verilog with each ``if (mask[i]) row[part i] <= data;`` list as one write of the row.

    Lists whose parts do not follow each other from bit 0 of one row and from mask bit 0 stay as they are.
    """
    return _BLOCK.sub(_whole, verilog)


def _whole(block: re.Match[str]) -> str:
    parts = [_WRITE.fullmatch(part) for part in _pairs(block[1])]
    if any(part is None for part in parts):
        return block[0]
    found = [part for part in parts if part is not None]
    mask, row, size = found[0][1], found[0][3], int(found[0][4]) + 1
    expected = [(mask, str(i), row, str((i + 1) * size - 1), str(i * size)) for i in range(len(found))]
    if [part.groups()[:5] for part in found] != expected or not _is_whole(block, row, size * len(found)):
        return block[0]
    data = ", ".join(f"{part[6]} " for part in reversed(found))
    masked = ", ".join(f"{{{size}{{{mask} [{i}]}}}}" for i in reversed(range(len(found))))
    return f"""\
  always @(posedge clk) begin
    if (& {mask} )
      {row} <= {{ {data}}};
    else if (| {mask} )
      {row} <= ({row} & ~{{ {masked} }}) | ({{ {data}}} & {{ {masked} }});
  end
"""


def _is_whole(block: re.Match[str], row: str, width: int) -> bool:
    """Whether the memory, declared before the block, has rows of ``width`` bits."""
    text, name = block.string, row.split("[")[0].rstrip()
    line = text.rfind("\n", 0, text.rfind(f"] {name} ", 0, block.start()))
    return text.startswith(f"  reg [{width - 1}:0] {name} ", line + 1)


def _pairs(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    return ["".join(lines[at : at + 2]) for at in range(0, len(lines), 2)]
