# SPDX-License-Identifier: Apache-2.0
"""The register file against `codesign.program.registers`, through a bus master whose five channels pause."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import ValueChange
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from codesign.program.config import AcceleratorConfig
from codesign.program.registers import IDENTITY, Counter, Register
from sim.bench import parameters, random_source
from sim.streams import Ticker, cycles, start

GIVEN = parameters()
CONFIG = AcceleratorConfig(**GIVEN["config"])
IDLE, STALL = GIVEN["idle"], GIVEN["stall"]

HELD = (Register.PROGRAM, Register.COUNT, Register.BASE, Register.WRITE_LOW, Register.WRITE_HIGH)  #: cannot be written while busy
#: Registers the host writes, with the bits they keep.
WRITTEN = {register: 0xFFFF_FFFF for register in (*HELD, Register.WATCHDOG)} | {Register.IRQ: 1}
SHAPE = CONFIG.lanes | CONFIG.array_out << 8 | CONFIG.depthwise_units << 16
SHAPE |= CONFIG.spad_words // 256 % 256 << 24
FIXED = {Register.CONTROL: 0, Register.ID: IDENTITY, Register.SHAPE: SHAPE}
#: Registers that show an input, with its name.
SHOWN = {Register.FAULT: "fault_word", Register.CYCLES: "cycles"}
MEMBERS = {register: register.name.lower() for register in (*HELD, Register.WATCHDOG)}
END = 1 << 12


def counter_value(select: int) -> int:
    """What the bench answers for counter ``select``."""
    return (select * 0x0101_0101 + 0x1234_5678) & 0xFFFF_FFFF


class Pulses:
    """The cycles in which ``start`` and ``soft_reset`` were shown."""

    def __init__(self, dut: Any):
        self.dut, self.ticker = dut, Ticker.of(dut)
        self.seen: dict[str, list[int]] = {"start": [], "soft_reset": []}
        self.ticker.agents.append(self)

    def tick(self) -> None:
        for name, cycles_seen in self.seen.items():
            if int(getattr(self.dut, name).value):
                cycles_seen.append(self.ticker.cycle)

    def take(self) -> tuple[int, int]:
        """Pulses since the last call."""
        counts = tuple(len(cycles_seen) for cycles_seen in self.seen.values())
        for cycles_seen in self.seen.values():
            cycles_seen.clear()
        return counts


class Host:
    """A master on the bus; every answer has to be OKAY."""

    def __init__(self, dut: Any):
        self.dut, self.rng = dut, random_source("host")
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "axi_"), dut.clk, dut.rst)
        write, read = self.lite.write_if, self.lite.read_if
        channels = {"aw": write.aw_channel, "w": write.w_channel, "ar": read.ar_channel}
        for name, channel in (channels | {"b": write.b_channel, "r": read.r_channel}).items():
            probability = STALL if name in "br" else IDLE
            channel.set_pause_generator(self.pauses(random_source(name), probability))
        self.pulses = Pulses(dut)

    @staticmethod
    def pauses(rng: random.Random, probability: float) -> Iterator[bool]:
        while True:
            yield rng.random() < probability

    @classmethod
    async def begin(cls, dut: Any) -> Host:
        for name in ("busy", "done", "fault", "fault_word", "cycles", "counter_value"):
            getattr(dut, name).value = 0
        await start(dut)
        return cls(dut)

    async def write(self, address: int, value: int, size: int = 4) -> None:
        answer = await self.lite.write(address, value.to_bytes(size, "little"))
        assert answer.resp == AxiResp.OKAY

    async def read(self, address: int) -> int:
        answer = await self.lite.read(address, 4)
        assert answer.resp == AxiResp.OKAY
        return int.from_bytes(answer.data, "little")

    async def expect(self, address: int, want: int) -> None:
        got = await self.read(address)
        assert got == want, f"register {address:#x}: got {got:#x}, want {want:#x}"


@cocotb.test()
async def every_register_is_as_documented(dut: Any) -> None:
    """Written registers start at 0, read back what was written, byte lanes and all, and show it to the
    accelerator; the others do not change by a write."""
    host = await Host.begin(dut)
    assert set(WRITTEN) | set(FIXED) | set(SHOWN) | {Register.STATUS, Register.COUNTERS} == set(Register)
    for name in SHOWN.values():
        getattr(dut, name).value = host.rng.getrandbits(32)
    await cycles(dut, 1)
    content = FIXED | {register: int(getattr(dut, name).value) for register, name in SHOWN.items()}
    content |= {register: 0 for register in (*WRITTEN, Register.STATUS, Register.COUNTERS)}
    for _ in range(150):
        register = host.rng.choice([r for r in Register if r != Register.CONTROL])
        size = host.rng.choice((1, 2, 4))
        at = host.rng.randrange(0, 5 - size)
        value = host.rng.getrandbits(8 * size)
        await host.write(register + at, value, size)
        if register in WRITTEN:
            lanes = ((1 << 8 * size) - 1) << 8 * at
            content[register] = (content[register] & ~lanes | value << 8 * at) & WRITTEN[register]
        looked = host.rng.choice(list(Register))
        await host.expect(looked, content[looked])
    for register, want in content.items():
        await host.expect(register, want)
    for register, name in MEMBERS.items():
        assert int(getattr(dut, name).value) == content[register]
    assert host.pulses.take() == (0, 0)


@cocotb.test()
async def status_and_interrupt(dut: Any) -> None:
    """STATUS is busy, done, fault; the interrupt is a level while it is enabled and done or fault is set."""
    host = await Host.begin(dut)
    for enable in (0, 1):
        await host.write(Register.IRQ, enable)
        for bits in range(8):
            dut.busy.value, dut.done.value, dut.fault.value = bits & 1, bits >> 1 & 1, bits >> 2
            await cycles(dut, 3)
            assert int(dut.irq.value) == (enable and bits > 1)
            await host.expect(Register.STATUS, bits)


@cocotb.test()
async def control(dut: Any) -> None:
    """1 starts unless busy, 2 resets, both together reset; one pulse of one cycle each. Other bits and bytes do
    nothing."""
    host = await Host.begin(dut)
    for busy in (0, 1):
        dut.busy.value = busy
        for value in range(8):
            await host.write(Register.CONTROL, value | 0xA5A5_A5 << 8)
            want = (int(value & 3 == 1 and not busy), int(value & 2 != 0))
            assert host.pulses.take() == want, f"{value} while busy = {busy}"
        await host.write(Register.CONTROL + 1, 0xFF, 1)
        await host.write(Register.CONTROL + 2, 0xFFFF, 2)
        assert host.pulses.take() == (0, 0)


@cocotb.test()
async def holds_the_program_while_busy(dut: Any) -> None:
    """PROGRAM, COUNT, BASE and the write window ignore writes while busy; WATCHDOG and IRQ do not."""
    host = await Host.begin(dut)
    for register in WRITTEN:
        await host.write(register, 0x1234_5679)
    dut.busy.value = 1
    for register in WRITTEN:
        await host.write(register, 0x8765_4320)
    dut.busy.value = 0
    for register, mask in WRITTEN.items():
        await host.expect(register, (0x1234_5679 if register in HELD else 0x8765_4320) & mask)


@cocotb.test()
async def counters_and_empty_addresses(dut: Any) -> None:
    """COUNTERS + 32 * engine + 4 * counter for eight engines; every address without a register reads 0, and a
    write there changes nothing."""
    host = await Host.begin(dut)

    async def answer() -> None:
        while True:
            dut.counter_value.value = counter_value(int(dut.counter.value))
            await ValueChange(dut.counter)

    cocotb.start_soon(answer())
    for _ in range(60):
        engine, counter = host.rng.randrange(8), host.rng.choice(list(Counter))
        at = 32 * engine + 4 * counter
        await host.expect(Register.COUNTERS + at, counter_value(at // 4))
    end = Register.COUNTERS + 256
    empty = [at for at in range(0, Register.COUNTERS, 4) if at not in list(Register)]
    empty += [end, END - 4, *(host.rng.randrange(end, END) & ~3 for _ in range(20))]
    for address in empty:
        await host.write(address, 0xFFFF_FFFF)
        await host.expect(address, 0)
    for register in WRITTEN:
        await host.expect(register, 0)
    assert host.pulses.take() == (0, 0)


@cocotb.test()
async def reads_and_writes_side_by_side(dut: Any) -> None:
    """Many transactions at once, each answered in its direction's order; two cycles each without pauses."""
    host = await Host.begin(dut)
    count, began = 50, host.pulses.ticker.cycle
    values = [host.rng.getrandbits(32) for _ in range(count)]
    writes = [cocotb.start_soon(host.write(Register.WATCHDOG, value)) for value in values]
    reads = [cocotb.start_soon(host.read(Register.ID)) for _ in range(count)]
    for task in writes:
        await task
    assert [await task for task in reads] == [IDENTITY] * count
    await host.expect(Register.WATCHDOG, values[-1])
    if not IDLE and not STALL:
        taken = host.pulses.ticker.cycle - began
        assert taken <= 4 * count, f"{taken} cycles for {count} writes beside {count} reads"
