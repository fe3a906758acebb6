# SPDX-License-Identifier: Apache-2.0
"""A Verilog module around the accelerator that Vivado understands without being told: X_INTERFACE attributes.

Attributes as in AMD UG1118 (Creating and Packaging Custom IP), "Inferring Signals"; AXI port names and widths as in UG1037.
Ports keep the accelerator's names; clock and reset are ``aclk`` and ``aresetn``, which is active low as AXI's is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codesign.program.config import AcceleratorConfig

TOP, CORE = "codesign_accelerator_axi", "codesign_accelerator"
MASTER, SLAVE = "master", "slave"
_AXI = "xilinx.com:interface:aximm:1.0"
_SIGNAL = "xilinx.com:signal"


@dataclass(frozen=True)
class Port:
    """A port as ``rtl/ports.txt`` lists it."""

    direction: str  #: in or out
    width: int
    name: str


@dataclass(frozen=True)
class Interface:
    """An AXI interface: its name in a block design, its ports' prefix and its parameters."""

    name: str
    prefix: str
    mode: str
    parameters: dict[str, str]


def interfaces(config: AcceleratorConfig) -> tuple[Interface, ...]:
    """The registers and one or two memory ports."""
    full = {"PROTOCOL": "AXI4", "DATA_WIDTH": "64", "ADDR_WIDTH": "32", "ID_WIDTH": "1", "MAX_BURST_LENGTH": "16",
            "SUPPORTS_NARROW_BURST": "0", "NUM_READ_OUTSTANDING": "8"}  # fmt: skip
    both = full | {"READ_WRITE_MODE": "READ_WRITE", "NUM_WRITE_OUTSTANDING": "8"}
    lite = {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": "32", "ADDR_WIDTH": "12", "READ_WRITE_MODE": "READ_WRITE"}
    found = [Interface("S_AXI", "s_axi_", SLAVE, lite), Interface("M_AXI_0", "m_axi_0_", MASTER, both)]
    if config.memory_ports == 2:
        found.append(Interface("M_AXI_1", "m_axi_1_", MASTER, full | {"READ_WRITE_MODE": "READ_ONLY"}))
    return tuple(found)


def port_rows(text: str) -> tuple[Port, ...]:
    """Lines of ``rtl/ports.txt``."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return tuple(Port(direction, int(width), name) for direction, width, name in rows)


def wrapper(ports: tuple[Port, ...], config: AcceleratorConfig) -> str:
    """The module `TOP`. Raises ValueError where a port belongs to no interface: the wrapper must name them all."""
    inner = [port for port in ports if port.name not in ("clk", "rst") and not port.name.startswith("mon_")]
    owners = {port.name: _owner(port.name, config) for port in inner}
    names = ":".join(interface.name for interface in interfaces(config))
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Written by codesign; the accelerator's ports as Vivado recognises them.",
        "`default_nettype none",
        f"module {TOP} (",
        f'  (* X_INTERFACE_INFO = "{_SIGNAL}:clock:1.0 aclk CLK" *)',
        f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME aclk, ASSOCIATED_BUSIF {names}, ASSOCIATED_RESET aresetn" *)',
        "  input  wire aclk,",
        f'  (* X_INTERFACE_INFO = "{_SIGNAL}:reset:1.0 aresetn RST" *)',
        '  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME aresetn, POLARITY ACTIVE_LOW" *)',
        "  input  wire aresetn,",
    ]
    seen: set[str] = set()
    for number, port in enumerate(inner):
        lines += list(_attributes(port, owners[port.name], seen))
        span = f"[{port.width - 1}:0] " if port.width > 1 else ""
        direction = "input " if port.direction == "in" else "output"
        lines.append(f"  {direction} wire {span}{port.name}{',' if number < len(inner) - 1 else ''}")
    lines += [
        ");",
        "  reg reset;  // synchronous to aclk, active high inside",
        "  always @(posedge aclk) reset <= ~aresetn;",
        f"  {CORE} accelerator (",
        "    .clk(aclk),",
        "    .rst(reset),",
        *(f"    .{port.name}({port.name}){',' if number < len(inner) - 1 else ''}" for number, port in enumerate(inner)),
        "  );",
        "endmodule",
        "`default_nettype wire",
        "",
    ]
    return "\n".join(lines)


def _owner(name: str, config: AcceleratorConfig) -> Interface | None:
    """The interface of a port; None for the interrupt."""
    if name == "irq":
        return None
    for interface in interfaces(config):
        if name.startswith(interface.prefix):
            return interface
    raise ValueError(f"port {name} belongs to no AXI interface")


def _attributes(port: Port, owner: Interface | None, seen: set[str]) -> Iterator[str]:
    if owner is None:
        yield f'  (* X_INTERFACE_INFO = "{_SIGNAL}:interrupt:1.0 irq INTERRUPT" *)'
        yield '  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME irq, SENSITIVITY LEVEL_HIGH" *)'
        return
    yield f'  (* X_INTERFACE_INFO = "{_AXI} {owner.name} {port.name.removeprefix(owner.prefix).upper()}" *)'
    if owner.name not in seen:
        seen.add(owner.name)
        parameters = ", ".join(f"{key} {value}" for key, value in owner.parameters.items())
        yield f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {owner.name}, {parameters}" *)'
