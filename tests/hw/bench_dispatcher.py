# SPDX-License-Identifier: Apache-2.0
"""The dispatcher behind its read port, before queues that fill up: order, numbers, parameter requests, faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import INSTRUCTION_BEATS, INSTRUCTION_BITS, INSTRUCTION_BYTES, Engine, Fault, Opcode
from hw.dispatcher import BUFFER, ParamRequest
from hw.layouts import HEADER
from sim.bench import parameters, random_source
from sim.streams import Sink, Ticker, cycles, start, unpack
from tests.hw.axi_memory import AxiReads

GIVEN = parameters()
CONFIG = AcceleratorConfig(**GIVEN["config"])
IDLE, STALL = GIVEN["idle"], GIVEN["stall"]
ENGINES, DEPTH = len(CONFIG.engines), CONFIG.queue_depth
DRAM = 1 << 17


class Queues:
    """The engines' queues: ready while there is room; ``taken`` lists (cycle, engine, instruction)."""

    def __init__(self, dut: Any, idle: float):
        self.dut, self.idle, self.rng = dut, idle, random_source("queues")
        self.levels = [0] * ENGINES
        self.taken: list[tuple[int, int, int]] = []
        self.ticker = Ticker.of(dut)
        self.ticker.agents.append(self)

    def tick(self) -> None:
        valid = int(self.dut.valid.value)
        if valid:
            engine = valid.bit_length() - 1
            assert valid == 1 << engine and self.levels[engine] < DEPTH, f"valid {valid:b}, {self.levels}"
            self.levels[engine] += 1
            self.taken.append((self.ticker.cycle, engine, int(self.dut.instruction.value)))
        for engine, level in enumerate(self.levels):
            if level and self.rng.random() >= self.idle:
                self.levels[engine] -= 1
        self.dut.ready.value = sum((level < DEPTH) << engine for engine, level in enumerate(self.levels))


class Requests(Sink):
    """Parameter requests; one that is not taken yet may be withdrawn by ``stop``."""

    def tick(self) -> None:
        if int(self.ticker.dut.stop.value):
            self.offered = None
        super().tick()


class Bench:
    """The dispatcher with its memory, its queues and the parameter fetcher's end of the requests."""

    def __init__(self, dut: Any, latency: tuple[int, int], idle: float):
        self.dut, self.rng = dut, random_source("program")
        self.memory = bytearray(random_source("memory").randbytes(DRAM))
        self.reads = AxiReads(dut, "axi_", self.memory, random_source("axi"), latency, STALL)
        self.queues = Queues(dut, idle)
        self.params = Requests(dut, "params", random_source("params"), STALL, ParamRequest)

    @classmethod
    async def begin(cls, dut: Any, latency: tuple[int, int] = (5, 60), idle: float = IDLE) -> Bench:
        await start(dut)
        return cls(dut, latency, idle)

    def instruction(self, opcode: int, engine: int, beats: int = 0) -> int:
        """Noise but for what the dispatcher looks at."""
        word = self.rng.getrandbits(INSTRUCTION_BITS)
        for name, value in (("opcode", opcode), ("engine", engine), ("param_beats", beats)):
            field = HEADER[name]
            word &= ~(((1 << field.width) - 1) << field.offset)
            word |= value << field.offset
        return word

    def program(self, count: int) -> list[int]:
        """Valid instructions for random engines, in runs that fill queues."""
        found: list[int] = []
        while len(found) < count:
            engine = self.rng.randrange(ENGINES)
            opcode = (Opcode.LOAD, Opcode.STORE, Opcode.POINTWISE, Opcode.DEPTHWISE)[min(engine, 3)]
            for _ in range(self.rng.choice((1, 1, 2, DEPTH + 3))):
                beats = self.rng.choice((0, 1, 300, 65535)) if engine >= Engine.POINTWISE else 0
                found.append(self.instruction(opcode, engine, beats))
        return found[:count]

    async def go(self, program: Sequence[int], count: int | None = None) -> int:
        """Reset, put the program somewhere and start it; the answer is its byte address."""
        dut = self.dut
        dut.stop.value = 1
        while self.reads.address.open:
            await cycles(dut, 1)
        dut.rst.value = 1
        await cycles(dut, 2)
        dut.rst.value, dut.stop.value = 0, 0
        await cycles(dut, 2)
        self.queues.taken.clear()
        self.params.received.clear()
        self.params.transfers.clear()
        base, offset = self.rng.randrange(64) * 128, self.rng.randrange(512) * 8
        text = b"".join(word.to_bytes(INSTRUCTION_BYTES, "little") for word in program)
        self.memory[base + offset : base + offset + len(text)] = text
        dut.base.value, dut.program.value = base, offset
        dut.count.value = len(program) if count is None else count
        dut.start.value = 1
        await cycles(dut, 1)
        dut.start.value = 0
        return base + offset

    async def ended(self) -> tuple[int, int, int] | None:
        """Wait for HALT or a fault; the answer is the fault's code, engine and index."""
        dut = self.dut
        for _ in range(20_000):
            await cycles(dut, 1)
            if int(dut.fault.value):
                return int(dut.fault_code.value), int(dut.fault_engine.value), int(dut.index.value)
            if int(dut.halted.value):
                return None
        raise TimeoutError(f"neither halted nor a fault at instruction {int(dut.index.value)}")

    def check(self, program: Sequence[int]) -> None:
        """Exactly ``program`` was dispatched, in order, numbered, each with its parameters' request."""
        index, requests = HEADER["index"], []
        assert len(self.queues.taken) == len(program)
        for number, (word, (cycle, engine, got)) in enumerate(zip(program, self.queues.taken)):
            header = unpack(HEADER, word)
            word &= ~(0xFFFF << index.offset)
            assert (engine, got) == (header["engine"], word | number << index.offset), f"instruction {number}"
            if header["param_beats"]:
                fields = dict(address=header["param_addr"], beats=header["param_beats"], engine=engine)
                requests.append((cycle, fields | dict(index=number)))
        got = [unpack(ParamRequest, word) for word in self.params.received]
        assert list(zip(self.params.transfers, got)) == requests


def halt(bench: Bench) -> int:
    """HALT; only its opcode counts."""
    return bench.instruction(Opcode.HALT, bench.rng.randrange(16), 9)


@cocotb.test()
async def keeps_order(dut: Any) -> None:
    """Every queue gets its instructions in program order with their numbers, whatever the queues' pace, and
    parameters are requested in the same cycle; nothing behind HALT is dispatched."""
    bench = await Bench.begin(dut)
    for length in (0, 1, 2, 150):
        program = bench.program(length)
        await bench.go([*program, halt(bench), *bench.program(30)])
        assert await bench.ended() is None
        await cycles(dut, 200)
        bench.check(program)
        assert not bench.reads.address.open


@cocotb.test()
async def reads_no_further_than_its_buffer(dut: Any) -> None:
    """Behind a queue that stays full the program waits, the port's data are always taken, and the rest comes
    once there is room again."""
    bench = await Bench.begin(dut, idle=1.0)
    program = [bench.instruction(Opcode.LOAD, Engine.LOAD) for _ in range(DEPTH + 20)]
    before = bench.reads.beats
    await bench.go([*program, halt(bench)])
    for _ in range(3000):
        await cycles(dut, 1)
        assert int(dut.axi_rready.value)
    assert bench.reads.beats - before <= (DEPTH + 1) * INSTRUCTION_BEATS + BUFFER
    bench.check(program[:DEPTH])
    bench.queues.idle = 0.5
    assert await bench.ended() is None
    bench.check(program)


@cocotb.test(skip=bool(IDLE or STALL))
async def pace(dut: Any) -> None:
    """At a latency of 45 cycles an instruction takes ten cycles."""
    bench = await Bench.begin(dut, latency=(45, 45))
    program = bench.program(200)
    await bench.go([*program, halt(bench)])
    assert await bench.ended() is None
    first, last = bench.queues.taken[0][0], bench.queues.taken[-1][0]
    assert last - first <= 10 * len(program), f"{(last - first) / len(program)} cycles an instruction"


@cocotb.test()
async def refuses_unknown_instructions(dut: Any) -> None:
    """An unknown opcode, an engine that is not there or does not fit, and parameters for a transfer."""
    bench = await Bench.begin(dut)
    beyond = Engine.DEPTHWISE + CONFIG.depthwise_units
    wrong = [(opcode, 0, 0, Fault.OPCODE) for opcode in range(16) if opcode not in list(Opcode)]
    for opcode, engines in (
        (Opcode.LOAD, (1, 2, 3, 8)),
        (Opcode.STORE, (0, 2, 9)),
        (Opcode.POINTWISE, (0, 3, 10)),
        (Opcode.DEPTHWISE, (0, 2, beyond, 15)),
    ):
        wrong += [(opcode, engine, 0, Fault.OPCODE) for engine in engines]
    wrong += [(Opcode.LOAD, Engine.LOAD, 1, Fault.UNSUPPORTED)]
    wrong += [(Opcode.STORE, Engine.STORE, 65535, Fault.UNSUPPORTED)]
    for opcode, engine, beats, code in wrong:
        good = bench.program(bench.rng.randrange(12))
        await bench.go([*good, bench.instruction(opcode, engine, beats), *bench.program(3), halt(bench)])
        got = await bench.ended()
        assert got == (code, engine, len(good)), f"{got} for opcode {opcode}, engine {engine}"
        bench.check(good)


@cocotb.test()
async def misses_halt(dut: Any) -> None:
    """COUNT instructions without HALT: all are dispatched, and the fault's index is COUNT."""
    bench = await Bench.begin(dut)
    for length in (0, 1, 7, 40):
        program = bench.program(length)
        await bench.go([*program, halt(bench)], count=length)
        assert await bench.ended() == (Fault.OPCODE, 0, length)
        bench.check(program)


@cocotb.test()
async def a_read_error_names_the_instruction(dut: Any) -> None:
    """An error in any beat of an instruction, HALT too, keeps it from being dispatched; engine 0 is reported,
    whatever the broken beats say."""
    bench = await Bench.begin(dut)
    for beat in range(INSTRUCTION_BEATS):
        program = bench.program(30)
        number = bench.rng.randrange(len(program) + 1) if beat else len(program)
        bench.reads.bad = range(0)
        at = await bench.go([*program, halt(bench)])
        at += number * INSTRUCTION_BYTES + beat * 8
        bench.reads.bad = range(at, at + 8)
        assert await bench.ended() == (Fault.READ, 0, number)
        bench.check(program[:number])


@cocotb.test()
async def stops(dut: Any) -> None:
    """After ``stop`` nothing is dispatched and the bus runs empty; a reset and a start begin anew."""
    bench = await Bench.begin(dut)
    for _ in range(4):
        program = bench.program(60)
        await bench.go([*program, halt(bench)])
        await cycles(dut, bench.rng.randrange(10, 400))
        dut.stop.value = 1
        await cycles(dut, 1)
        seen = len(bench.queues.taken)
        await cycles(dut, 500)
        assert len(bench.queues.taken) <= seen + 1 and not bench.reads.address.open
        del program[len(bench.queues.taken) :]
        bench.check(program)
