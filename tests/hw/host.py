# SPDX-License-Identifier: Apache-2.0
"""A driver's side of the accelerator in benches: its memory, its registers, programs run to their end."""

from __future__ import annotations

from typing import Any

from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Engine, Fault, Opcode, encode
from codesign.program.registers import Register
from sim.bench import parameters, random_source
from sim.streams import start
from tests.hw.axi_memory import AxiReads, AxiWrites

BASE, PROGRAM, IMAGE, RESULT, PARAMETERS, SIZE = 0x1000, 0x100, 0x2000, 0x8000, 0xC000, 0x10000
BUSY, DONE, FAULT = 1, 2, 4


class Host:
    """The accelerator, its memory and what a driver does with them."""

    def __init__(self, dut: Any, latency: tuple[int, int], stall: float):
        self.dut = dut
        self.config = AcceleratorConfig(**parameters()["config"])
        self.memory = bytearray(random_source("memory").randbytes(BASE + SIZE))
        self.reads = [
            AxiReads(dut, f"m_axi_{port}_", self.memory, random_source(f"reads{port}"), latency, stall)
            for port in range(self.config.memory_ports)
        ]
        self.writes = AxiWrites(dut, "m_axi_0_", self.memory, random_source("writes"), latency, stall)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.last_code = 0

    @classmethod
    async def begin(cls, dut: Any, latency: tuple[int, int] = (5, 60), stall: float = 0.2) -> Host:
        await start(dut)
        host = cls(dut, latency, stall)
        for register, value in (
            (Register.BASE, BASE),
            (Register.PROGRAM, PROGRAM),
            (Register.WATCHDOG, 2000),
        ):
            await host.write(register, value)
        return host

    async def write(self, register: int, value: int) -> None:
        await self.lite.write_dword(register, value)

    async def read(self, register: int) -> int:
        return await self.lite.read_dword(register)

    async def run(self, program: list[bytes], count: int | None = None) -> int:
        """Start the program and wait until it is no longer busy; the answer is STATUS."""
        text = b"".join(program)
        self.memory[BASE + PROGRAM : BASE + PROGRAM + len(text)] = text
        await self.write(Register.COUNT, len(program) if count is None else count)
        await self.write(Register.CONTROL, 1)
        for _ in range(3000):
            status = await self.read(Register.STATUS)
            if not status & BUSY:
                return status
        raise TimeoutError("still busy")

    async def expect_fault(
        self, program: list[bytes], code: Fault, engine: int, index: int, count: int | None = None
    ) -> None:
        status = await self.run(program, count)
        word = await self.read(Register.FAULT)
        got = (status, word & 0xFF, word >> 8 & 0xF, word >> 16)
        assert got == (FAULT, code, engine, index), (
            f"got {got}, want fault {code.name}, engine {engine}, index {index}"
        )
        assert not any(port.address.open for port in (*self.reads, self.writes))

    async def copy(self, seed: str = "copy") -> None:
        """Random rectangles from DRAM to the scratchpad and back."""
        rng, bytes_ = random_source(seed), self.config.word_bytes
        program, wants, loads = [], {}, 0
        at = 0
        for number in range(parameters().get("rectangles", 8)):
            rows, words = rng.randint(1, 5), rng.randint(1, 7)
            stride, back = words + rng.randint(0, 3), words + rng.randint(0, 3)
            source, target = rng.randrange(64) * bytes_, number * 64 * bytes_
            at = at if at + rows * words <= self.config.spad_words // 2 else 0
            load = dict(dram_addr=IMAGE + source, dram_stride=stride * bytes_, spad_addr=at)
            store = dict(dram_addr=RESULT + target, dram_stride=back * bytes_, spad_addr=at)
            shape = dict(spad_stride=words, rows=rows, row_words=words, lane_mask=(1 << 32) - 1)
            program.append(encode(Opcode.LOAD, dict(load, **shape, engine=Engine.LOAD, wait1=number)))
            loads += 1
            program.append(encode(Opcode.STORE, dict(store, **shape, engine=Engine.STORE, wait0=loads)))
            for row in range(rows):
                begin = BASE + IMAGE + source + row * stride * bytes_
                want = bytes(self.memory[begin : begin + words * bytes_])
                wants[BASE + RESULT + target + row * back * bytes_] = want
            at += rows * words
        before = self.writes.written
        status = await self.run([*program, encode(Opcode.HALT, {})])
        assert status == DONE, f"status {status}, fault {await self.read(Register.FAULT):#x}"
        for address, want in wants.items():
            assert self.memory[address : address + len(want)] == want, f"wrong data at {address:#x}"
        assert self.writes.written - before == sum(len(want) for want in wants.values())
