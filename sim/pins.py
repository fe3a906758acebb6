# SPDX-License-Identifier: Apache-2.0
"""Text that follows from the ports of one generated top: its wrapper, and pins.hpp for the C++ harness."""

from __future__ import annotations

import re

from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig

TOP = "codesign_accelerator"
READ = (
    "arvalid",
    "arready",
    "arlen",
    "arsize",
    "arburst",
    "rvalid",
    "rready",
    "rlast",
    "rresp",
    "araddr",
    "rdata",
)
WRITE = ("awvalid", "awready", "awlen", "awsize", "awburst", "wvalid", "wready", "wlast", "wstrb")
WRITE += ("bvalid", "bready", "bresp", "awaddr", "wdata")
CONTROL = (
    "clk",
    "rst",
    "irq",
    *(f"s_axi_{name}" for name in ("awaddr", "awvalid", "awready", "wdata", "wvalid")),
)
CONTROL += tuple(f"s_axi_{name}" for name in ("wready", "wstrb", "bvalid", "bready", "bresp", "araddr"))
CONTROL += tuple(f"s_axi_{name}" for name in ("arvalid", "arready", "rdata", "rresp", "rvalid", "rready"))


def _ports(verilog: str, top: str) -> list[tuple[str, int, str]]:
    """Direction, width and name of every port of module ``top``."""
    found = re.search(rf"^module {top}\b(.*?)^endmodule", verilog, re.S | re.M)
    if not found:
        raise UserError(f"the Verilog has no module {top}")
    pattern = r"\b(input|output)\s+(?:wire\s+|reg\s+)?(?:\[(\d+):0\]\s*)?(\w+)\s*[;,)]"
    found_ports = re.findall(pattern, found[1])
    return list(dict.fromkeys((direction, int(high or 0) + 1, name) for direction, high, name in found_ports))


def wrapped(verilog: str, top: str = TOP) -> str:
    """The Verilog with ``top`` inside a module of its name that takes every input at the falling edge.

    The harness sets inputs while the clock is low, so no cycle changes. But Verilator evaluates what hangs on
    a top-level input in each of a cycle's two evaluations, and what hangs on a register only after its edge.
    """
    inner = f"{top}_inner"
    ports = _ports(verilog, top)
    lines = [f"module {top}("]
    lines.append(
        ",\n".join(f"  {direction} [{width - 1}:0] {name}" for direction, width, name in ports) + ");"
    )
    taken = {name: width for direction, width, name in ports if direction == "input" and name != "clk"}
    lines += [f"  reg [{width - 1}:0] taken_{name} = 0;" for name, width in taken.items()]
    lines += [f"  always @(negedge clk) taken_{name} <= {name};" for name in taken]
    connections = (f".{name}({f'taken_{name}' if name in taken else name})" for _, _, name in ports)
    lines += [f"  {inner} inner({', '.join(connections)});", "endmodule", ""]
    return re.sub(rf"^module {top}\b", f"module {inner}", verilog, flags=re.M) + "\n".join(lines)


def _bind(ports: dict[str, int], prefix: str, names: tuple[str, ...], kind: str, call: str) -> list[str]:
    """Lines that fill one pin structure; a port that lacks the channel gives none."""
    if prefix + names[0] not in ports:
        return []
    missing = [prefix + name for name in names if prefix + name not in ports]
    if missing:
        raise UserError(f"the accelerator's top lacks the port {missing[0]}")
    pins = [f"        pins.{name} = &top.{prefix}{name};" for name in names]
    return ["    {", f"        {kind} pins{{}};", *pins, f"        {call}", "    }"]


def _data(name: str, width: int) -> str:
    return f"top.{name}.data()" if width > 64 else f"&top.{name}"


def header(verilog: str, config: AcceleratorConfig, top: str = TOP) -> str:
    """Text of pins.hpp for this top."""
    ports = {name: width for _, width, name in _ports(verilog, top)}
    missing = [name for name in CONTROL if name not in ports]
    if missing:
        raise UserError(f"the accelerator's top lacks the port {missing[0]}")
    bindings: list[str] = []
    for port in range(config.memory_ports):
        prefix = f"m_axi_{port}_"
        bindings += _bind(ports, prefix, READ, "ReadPins", f"read({port}u, pins);")
        bindings += _bind(ports, prefix, WRITE, "WritePins", f"write({port}u, pins);")
    writers = sum(f"mon_write_{i}_valid" in ports for i in range(32))
    engines = sum(f"mon_start_{i}_valid" in ports for i in range(32))
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated from the top's port list by sim/pins.py.",
        "#pragma once",
        f"constexpr unsigned LANES = {config.lanes}, WRITERS = {writers}, ENGINES = {engines};",
        "template <class Read, class Write>",
        "void bind_ports(Vtop& top, Read&& read, Write&& write) {",
        "    (void)top, (void)read, (void)write;",
        *bindings,
        "}",
        "template <class Sink>",
        "void each_write(Vtop& top, Sink&& sink) {",
        "    (void)top, (void)sink;",
    ]
    for i in range(writers):
        name = f"mon_write_{i}_"
        data = _data(f"{name}data", ports[f"{name}data"])
        lines.append(f"    if (top.{name}valid) sink({i}u, top.{name}addr, top.{name}mask, {data});")
    lines += [
        "}",
        "template <class Sink>",
        "void each_engine(Vtop& top, Sink&& sink) {",
        "    (void)top, (void)sink;",
    ]
    for i in range(engines):
        start, retire = (
            f"top.mon_{event}_{i}_valid, top.mon_{event}_{i}_index" for event in ("start", "retire")
        )
        lines.append(f"    sink({i}u, {start}, {retire}, top.mon_activity_{i});")
    return "\n".join([*lines, "}", ""])
