# SPDX-License-Identifier: Apache-2.0
"""Verilog of the accelerator: ``python -m hw.generate > codesign_accelerator.v``."""

from __future__ import annotations

import sys

from amaranth import Shape
from amaranth.back import verilog as backend
from amaranth.lib.wiring import In

from codesign.program.config import AcceleratorConfig
from hw.top import Accelerator, monitor_ports, ports

TOP = "codesign_accelerator"


def verilog(config: AcceleratorConfig, monitors: bool = False) -> str:
    """The accelerator as one Verilog text; its top module is `TOP`."""
    return backend.convert(Accelerator(config, monitors), name=TOP, emit_src=False)


def port_list(config: AcceleratorConfig, monitors: bool = False) -> str:
    """A line per port: direction, width, name."""
    members = ports(config) | (monitor_ports(config) if monitors else {})
    lines = ["in     1 clk", "in     1 rst"]
    for name, member in members.items():
        lines.append(f"{'in ' if member.flow is In else 'out'} {Shape.cast(member.shape).width:4} {name}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(verilog(AcceleratorConfig()))
