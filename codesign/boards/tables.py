# SPDX-License-Identifier: Apache-2.0
"""What a board file holds, checked: one class a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codesign.program.config import AcceleratorConfig


@dataclass(frozen=True)
class Device:
    """The FPGA and what it holds."""

    part: str
    family: str
    lut: int
    ff: int
    dsp: int
    bram36: int


@dataclass(frozen=True)
class Dram:
    """The memory as the accelerator sees it, in the accelerator's clock cycles. The simulator enforces it."""

    ports: int  #: 64-bit AXI ports
    port_bytes_per_cycle: int  #: per port and direction
    bytes_per_cycle: int  #: reads and writes of all ports together
    latency_cycles: int  #: from address handshake to first data, and from last data to response
    burst_beats: int  #: longest burst
    outstanding: int  #: bursts a port and direction


@dataclass(frozen=True)
class Vivado:
    """What a Zynq design needs beside the accelerator; `codesign.vivado` writes it."""

    template: str  #: one of `codesign.boards.TEMPLATES`
    board_part: str  #: applied where Vivado has that board's files
    control_address: int  #: of the registers, in the processor's memory map
    control_bytes: int
    memory_bytes: int  #: of DDR from address 0 that the accelerator's ports reach


@dataclass(frozen=True)
class Ecp5:
    """Pins of the self test that `codesign.ecp5` makes a bitstream of; names are those of the constraints."""

    oscillator_mhz: float
    clock: str
    button: str  #: high when pushed
    leds: str  #: a vector of eight
    high: str  #: an output held at 1; empty where none is needed


TYPICAL = Dram(2, 8, 16, 40, 16, 8)  #: for choices made before a board is known


@dataclass(frozen=True)
class Board:
    """One board file, checked."""

    name: str
    title: str
    device: Device
    clock_mhz: float
    dram: Dram
    accelerator: AcceleratorConfig
    path: Path
    vivado: Vivado | None = None
    ecp5: Ecp5 | None = None
    constraints: Path | None = None  #: pins and clocks for place and route, beside the board file
    settings: str = ""  #: what followed the colon

    @property
    def spec(self) -> str:
        """What `load_board` makes this board of, from any folder."""
        path = str(self.path.resolve())
        return f"{path}:{self.settings}" if self.settings else path
