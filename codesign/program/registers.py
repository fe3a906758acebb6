# SPDX-License-Identifier: Apache-2.0
"""AXI4-Lite register map: the RTL, the driver and the documentation read this table."""

from __future__ import annotations

from enum import IntEnum

IDENTITY = 0xC0DE_5160


class Register(IntEnum):
    """Byte offsets of 32-bit registers."""

    CONTROL = (
        0x00  #: write 1: start; write 2: soft reset (engines, queues, counters; registers keep their values)
    )
    STATUS = 0x04  #: bit 0 busy, bit 1 done, bit 2 fault; start clears done and fault
    FAULT = 0x08  #: bits 7:0 code, 11:8 engine, 31:16 index of the instruction
    PROGRAM = 0x0C  #: byte address of the program, relative to BASE
    COUNT = 0x10  #: instructions in the program
    BASE = 0x14  #: byte address added to every DRAM address of the program; multiple of 128
    WATCHDOG = 0x18  #: cycles without a retired instruction before Fault.WATCHDOG, 0 = off
    CYCLES = 0x1C  #: clock cycles from the start write to done
    ID = 0x20  #: IDENTITY
    SHAPE = 0x24  #: bits 7:0 lanes, 15:8 array_out, 23:16 depthwise_units, 31:24 spad_words / 256 (0 = 65536)
    IRQ = 0x28  #: bit 0 enables the interrupt (level, while done or fault)
    WRITE_LOW = 0x2C  #: first byte that a store may write, relative to BASE; multiple of 128
    WRITE_HIGH = 0x30  #: the byte behind the last that a store may write, relative to BASE; multiple of 128; 0: anywhere
    COUNTERS = 0x40  #: + 32 * engine + 4 * Counter


class Counter(IntEnum):
    """Per-engine cycle counters: every cycle from start to done is in exactly one of them."""

    BUSY = 0  #: useful work issued
    TOKEN = 1  #: an instruction is there, its tokens are not
    PARAM = 2  #: waiting for weights or requantisation parameters
    MEMORY = 3  #: waiting for DRAM (load, store), a scratchpad bank or output space (others)
    DRAIN = 4  #: everything issued, results on their way to memory
    IDLE = 5  #: no instruction in the queue


#: Access (R: read, W: write, H: a write while busy is ignored) and meaning, for the documentation and the driver's checks.
#: hw.registers implements it; tests/runtime/test_register_map.py holds the two together.
MEANING: dict[Register, tuple[str, str]] = {
    Register.CONTROL: ("W", "1: start; 2: soft reset (engines, queues, counters; registers keep their values)"),
    Register.STATUS: ("R", "bit 0 busy, bit 1 done, bit 2 fault; start and soft reset clear done and fault"),
    Register.FAULT: ("R", "bits 7:0 code, 11:8 engine, 31:16 number of the instruction"),
    Register.PROGRAM: ("RWH", "byte address of the program, relative to BASE"),
    Register.COUNT: ("RWH", "instructions in the program, 1 to 65535"),
    Register.BASE: ("RWH", "byte address added to every DRAM address of the program; multiple of 128"),
    Register.WATCHDOG: ("RW", "cycles without a retired instruction before the fault WATCHDOG; 0: never"),
    Register.CYCLES: ("R", "clock cycles from the start write to done"),
    Register.ID: ("R", f"{IDENTITY:#010x}"),
    Register.SHAPE: ("R", "bits 7:0 lanes, 15:8 array_out, 23:16 depthwise_units, 31:24 spad_words / 256 (0: 65536)"),
    Register.IRQ: ("RW", "bit 0 enables the interrupt (level, while done or fault)"),
    Register.WRITE_LOW: ("RWH", "first byte that a store may write, relative to BASE; multiple of 128"),
    Register.WRITE_HIGH: ("RWH", "the byte behind the last that a store may write, relative to BASE; multiple of 128; 0: anywhere"),
    Register.COUNTERS: ("R", "+ 32 * engine + 4 * counter: busy, token, param, memory, drain, idle cycles"),
}
