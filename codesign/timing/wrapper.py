# SPDX-License-Identifier: Apache-2.0
"""Registers around an engine's ports, where its neighbours' would be.

Every path into and out of the engine then lies between two registers and is timed, while pins and their number do not
matter. What a neighbour adds in front of its register is the neighbour's to show.
"""

from __future__ import annotations

import re

TOP, ENGINE = "placed", "engine"
_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\\?)(\w+) ?;$", re.M)


def wrapped(verilog: str) -> str:
    """``verilog``, whose module `ENGINE` has a ``clk``, with a module `TOP` around it. Raises ValueError without one."""
    module = re.search(rf"^module {ENGINE}\s*\((.*?)\);(.*?)^endmodule", verilog, re.S | re.M)
    if module is None:
        raise ValueError(f"no module {ENGINE}")
    ports = [(direction, high or "0", name) for direction, high, _, name in _PORT.findall(module[2])]
    names = [name for _, _, name in ports]
    if sorted(names) != sorted(name.strip(" \n\\") for name in module[1].split(",")) or "clk" not in names:
        raise ValueError(f"ports of {ENGINE} are not as Amaranth writes them, with a clk")
    lines = [f"module {TOP}({', '.join(map(_escaped, names))});", "  input clk;"]
    connections = [".clk(clk)"]
    for direction, high, name in ports:
        if name != "clk":
            lines += _registered(direction, f"[{high}:0]", name)
            connections.append(f".{_escaped(name)}({'port' if direction == 'input' else 'at'}_{name})")
    lines += [f"  {ENGINE} {ENGINE} ({', '.join(connections)});", "endmodule", ""]
    return verilog + "\n" + "\n".join(lines)


def _registered(direction: str, span: str, name: str) -> list[str]:
    lines = [f"  {direction} {span} {_escaped(name)};", f"  reg {span} port_{name};"]
    if direction == "input":
        return [*lines, f"  always @(posedge clk) port_{name} <= {_escaped(name)};"]
    return [
        *lines,
        f"  wire {span} at_{name};",
        f"  always @(posedge clk) port_{name} <= at_{name};",
        f"  assign {_escaped(name)} = port_{name};",
    ]


def _escaped(name: str) -> str:
    """A name that may be a word of Verilog's, as ``program`` is."""
    return f"\\{name} "


def port(name: str) -> str:
    """The wrapper's register at a port, as the Amaranth source names that: ``port read.data``."""
    return "port " + name.replace("__", ".")


def inside(name: str) -> str:
    """A signal of the engine as the Amaranth source names it."""
    return name.removeprefix(f"{ENGINE}.")
