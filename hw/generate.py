# SPDX-License-Identifier: Apache-2.0
"""Verilog of the accelerator: ``python -m hw.generate > codesign_accelerator.v``."""

from __future__ import annotations

import hashlib
import re
import sys

from amaranth import Shape
from amaranth.back import verilog as backend
from amaranth.lib.wiring import In

from codesign.program.config import AcceleratorConfig
from hw.array import DotArray
from hw.multipliers import Multipliers
from hw.requantise import Requantiser
from hw.top import Accelerator, monitor_ports, ports

TOP = "codesign_accelerator"
_ROW = re.compile(r" {4}(\w+)\[(\d+)\] = (\d+'h[0-9a-f]+);\n")
_CLEAR = re.compile(r"  initial begin\n(?: {4}\w+\[\d+\] = \d+'h[0-9a-f]+;\n)+  end\n")


def verilog(config: AcceleratorConfig, monitors: bool = False, layout: Multipliers | None = None) -> str:
    """The accelerator as one Verilog text; its top module is `TOP`. ``layout``: see `hw.array`.

    The form to simulate ends with `twin_lines`.
    """
    text = short_clears(backend.convert(Accelerator(config, monitors, layout), name=TOP, emit_src=False))
    return text if layout is not None else text + twin_lines(config, text)


def twin_lines(config: AcceleratorConfig, text: str) -> str:
    """Comments for the end of ``text`` that tell a simulator which modules it may replace by cycle-exact twins, with their
    timing, and by a checksum of ``text`` that they hold for nothing else: edited Verilog is simulated as it stands."""
    stages = ("BIAS_AT", "SHIFT_AT", "OFFSET_AT", "LATENCY")
    lane = {name.lower(): getattr(Requantiser, name) for name in stages}
    array = {"lanes": config.lanes, "outputs": config.array_out, "latency": DotArray.LATENCY}
    return f"// twins of sha256 {hashlib.sha256(text.encode()).hexdigest()}\n" + "".join(
        f"// twin {name} {' '.join(f'{key}={value}' for key, value in fields.items())}\n"
        for name, fields in (("dot_array", array), ("requantiser", lane))
    )


def short_clears(text: str) -> str:
    """A loop instead of a line per row where a memory starts as zeros."""

    def loop(block: re.Match[str]) -> str:
        rows = _ROW.findall(block[0])
        name, _, zero = rows[0]
        if rows != [(name, str(row), zero) for row in range(len(rows))] or int(zero.split("h")[1], 16):
            return block[0]
        head = f"  initial begin : clear_{name}\n    integer row;\n"
        return f"{head}    for (row = 0; row < {len(rows)}; row = row + 1) {name}[row] = {zero};\n  end\n"

    return _CLEAR.sub(loop, text)


def port_list(config: AcceleratorConfig, monitors: bool = False) -> str:
    """A line per port: direction, width, name."""
    members = ports(config) | (monitor_ports(config) if monitors else {})
    lines = ["in     1 clk", "in     1 rst"]
    for name, member in members.items():
        lines.append(f"{'in ' if member.flow is In else 'out'} {Shape.cast(member.shape).width:4} {name}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(verilog(AcceleratorConfig()))
