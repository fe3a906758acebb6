# SPDX-License-Identifier: Apache-2.0
"""The whole accelerator over AXI: programs of loads and stores, and every fault's answer."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiRamRead, AxiReadBus

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import INSTRUCTION_BYTES, Engine, Fault, Mode, Opcode, encode
from codesign.program.registers import IDENTITY, Counter, Register
from sim.bench import parameters, random_source
from sim.streams import cycles, start
from tests.hw.depthwise_model import Work, execute
from tests.hw.host import BASE, BUSY, DONE, IMAGE, PARAMETERS, PROGRAM, RESULT, SIZE, Host
from tests.hw.pointwise_model import Jobs, PointwiseModel


def transfer(opcode: Opcode, **fields: int) -> bytes:
    """A load or store of four words, all lanes, with a few fields given."""
    engine = Engine.LOAD if opcode == Opcode.LOAD else Engine.STORE
    usual = dict(engine=engine, dram_addr=IMAGE, rows=1, row_words=4, lane_mask=(1 << 32) - 1)
    return encode(opcode, usual | fields)


def depthwise_work(fields: dict[str, int], rng: Any, lanes: int) -> Work:
    """A depthwise instruction with random parameters."""
    noise = np.random.default_rng(rng.randrange(1 << 30))
    taps = fields["kh"] * fields["kw"]
    reach = 128 if fields["w8"] else 8
    weights = noise.integers(-reach, reach, (taps, lanes))
    shift = noise.integers(22, 30, lanes)
    multiplier, bias = noise.integers(1 << 15, 1 << 16, lanes), noise.integers(-(1 << 30), 1 << 30, lanes)
    return Work(fields, weights, multiplier, bias, shift, np.zeros((0, lanes), np.uint8))


HALT = encode(Opcode.HALT, {})
LOAD = transfer(Opcode.LOAD)
STORE = transfer(Opcode.STORE, dram_addr=RESULT)


@cocotb.test()
async def registers(dut: Any) -> None:
    host = await Host.begin(dut)
    config = host.config
    assert await host.read(Register.ID) == IDENTITY
    shape = (
        config.lanes | config.array_out << 8 | config.depthwise_units << 16 | config.spad_words // 256 << 24
    )
    assert await host.read(Register.SHAPE) == shape
    assert await host.read(Register.PROGRAM) == PROGRAM
    assert await host.read(Register.STATUS) == 0
    await host.lite.write(Register.WATCHDOG + 1, b"\x12")  # a single byte lane
    assert await host.read(Register.WATCHDOG) == (2000 & 0xFF) | 0x1200
    assert await host.read(0x3C) == 0


@cocotb.test()
async def copies(dut: Any) -> None:
    host = await Host.begin(dut)
    await host.write(Register.IRQ, 1)
    for turn in range(3):
        await host.copy(f"copy{turn}")
        assert int(dut.irq.value) == 1
    await cycles(dut, 50)
    total = await host.read(Register.CYCLES)
    for engine in range(len(host.config.engines)):
        row = [await host.read(Register.COUNTERS + 32 * engine + 4 * counter) for counter in Counter]
        assert sum(row) == total, f"engine {engine}: counters {row} do not add up to {total} cycles"
        if engine < Engine.POINTWISE:
            assert row[Counter.BUSY] > 0 and row[Counter.TOKEN] > 0


@cocotb.test()
async def computes(dut: Any) -> None:
    """Pointwise and depthwise instructions side by side, parameters from DRAM, against their models; first with a
    load that waits for ever, of which nothing may be left."""
    host = await Host.begin(dut)
    await host.write(Register.WATCHDOG, 5000)
    config, rng = host.config, random_source("jobs")
    words, size = config.spad_words, config.word_bytes
    model, jobs = PointwiseModel(config), Jobs(config, rng)
    image = np.frombuffer(host.memory, np.int8)[BASE + IMAGE : BASE + IMAGE + words * size].copy()
    model.memory[:words] = image.reshape(words, size)
    at = PARAMETERS
    whole = dict(rows=1, row_words=words)
    program, parts = [transfer(Opcode.LOAD, **whole)], 4
    area = dict(in_h=6, in_w=6, pitch=6, plane_stride=36, rows=4, cols=5, y0=-1, x0=-1)
    for number in range(parts):
        job = jobs.job(**area, planes=2, dst=words // 2 + 40 * number, dst_pitch=5)
        model.run(job)
        tap = dict(
            area, src=rng.randrange(64), dst=words - 80 + 20 * number, dst_pitch=5, kh=3, kw=3, stride=1
        )
        del tap["plane_stride"]
        tap |= dict(mode=Mode.MAC, deform=0, up=0, z_in=3, z_out=-5, lo=-128, hi=127, w8=number % 2)
        work = depthwise_work(tap, rng, config.lanes)
        written = execute(work, model.memory[:words].view(np.uint8), config.depthwise_requant)
        for address, codes in written.items():
            model.memory[address] = codes.view(np.int8)
        for opcode, engine, fields, beats in (
            (Opcode.POINTWISE, Engine.POINTWISE, job.fields, job.beats()),
            (Opcode.DEPTHWISE, Engine.DEPTHWISE, work.fields, work.beats),
        ):
            header = dict(engine=engine, wait0=1, param_addr=at, param_beats=len(beats))
            program.append(encode(opcode, fields | header))
            for beat in beats:
                host.memory[BASE + at : BASE + at + 8] = beat.to_bytes(8, "little")
                at += 8
    program += [transfer(Opcode.STORE, dram_addr=RESULT, wait2=parts, wait3=parts, **whole), HALT]
    assert at <= SIZE
    stuck = [transfer(Opcode.LOAD, **whole, wait1=1), *program[1:]]
    await host.expect_fault(stuck, Fault.WATCHDOG, Engine.LOAD, 0)  # with parameters of both half loaded
    status = await host.run(program)
    assert status == DONE, f"status {status}, fault {await host.read(Register.FAULT):#x}"
    got = np.frombuffer(host.memory, np.int8)[BASE + RESULT : BASE + RESULT + words * size].reshape(
        words, size
    )
    wrong = np.argwhere(got != model.memory[:words])
    assert not len(wrong), f"{len(wrong)} values differ, the first at word, lane {wrong[0]}"


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """A load and a store of many words take little more than one cycle a beat at a latency of 45 cycles."""
    host = await Host.begin(dut, latency=(45, 45), stall=0)
    words = host.config.spad_words // 2
    shape = dict(rows=words // 16, row_words=16, dram_stride=16 * host.config.word_bytes, spad_stride=16)
    program = [transfer(Opcode.LOAD, **shape), transfer(Opcode.LOAD, **shape, spad_addr=words)]
    program += [transfer(Opcode.STORE, **shape | dict(dram_addr=RESULT, wait0=2)), HALT]
    assert await host.run(program) == DONE
    beats = words * host.config.word_beats
    for engine, count in ((Engine.LOAD, 2 * beats), (Engine.STORE, beats)):
        row = [await host.read(Register.COUNTERS + 32 * engine + 4 * counter) for counter in Counter]
        assert row[Counter.BUSY] == count
        if host.config.memory_ports == 2:
            assert row[Counter.MEMORY] <= 70, f"engine {engine}: {row[Counter.MEMORY]} cycles lost of {count}"


@cocotb.test()
async def faults(dut: Any) -> None:
    """Every fault is answered with code, engine and index, and a reset (or the next start) recovers."""
    host = await Host.begin(dut)
    words = host.config.spad_words
    await host.copy()
    await host.expect_fault([LOAD, bytes(INSTRUCTION_BYTES), HALT], Fault.OPCODE, 0, 1)
    await host.write(Register.CONTROL, 2)
    await host.copy()
    await host.expect_fault([LOAD, encode(Opcode.LOAD, {"engine": 1}), HALT], Fault.OPCODE, 1, 1)
    beyond = 3 + host.config.depthwise_units
    await host.expect_fault([encode(Opcode.DEPTHWISE, {"engine": beyond}), HALT], Fault.OPCODE, beyond, 0)
    await host.expect_fault([LOAD, STORE], Fault.OPCODE, 0, 2)
    await host.expect_fault([HALT], Fault.OPCODE, 0, 0, count=0)
    await host.expect_fault([transfer(Opcode.LOAD, param_beats=1), HALT], Fault.UNSUPPORTED, 0, 0)
    await host.expect_fault([LOAD, transfer(Opcode.STORE, rows=0), HALT], Fault.UNSUPPORTED, 1, 1)
    await host.expect_fault([LOAD, transfer(Opcode.LOAD, spad_addr=words - 2), HALT], Fault.ADDRESS, 0, 1)
    await host.expect_fault([STORE, transfer(Opcode.STORE, spad_addr=words - 2), HALT], Fault.ADDRESS, 1, 1)
    await host.copy()
    await host.expect_fault([STORE, transfer(Opcode.LOAD, wait1=2), HALT], Fault.WATCHDOG, 0, 1)
    await host.write(Register.CONTROL, 2)
    assert await host.read(Register.STATUS) == 0 and await host.read(Register.FAULT) == 0
    assert await host.read(Register.PROGRAM) == PROGRAM
    await host.copy()


@cocotb.test()
async def bus_errors(dut: Any) -> None:
    host = await Host.begin(dut)
    long = dict(rows=8, row_words=16, dram_stride=16 * host.config.word_bytes, spad_stride=0)
    word = BASE + IMAGE + 5 * host.config.word_bytes
    for port in host.reads:
        port.bad = range(word, word + 8)
    await host.expect_fault(
        [LOAD, transfer(Opcode.LOAD, **long), transfer(Opcode.LOAD, **long), HALT], Fault.READ, 0, 1
    )
    for port in host.reads:
        port.bad = range(BASE + PROGRAM + 64, BASE + PROGRAM + 72)
    await host.expect_fault([LOAD, LOAD, HALT], Fault.READ, 0, 1)
    for port in host.reads:
        port.bad = range(0)
    host.writes.bad = range(BASE + RESULT, BASE + RESULT + 8)
    away = long | dict(dram_addr=RESULT + 0x400)
    await host.expect_fault(
        [transfer(Opcode.STORE, **away), STORE, transfer(Opcode.STORE, **away), HALT], Fault.WRITE, 1, 1
    )
    host.writes.bad = range(0)
    await host.copy()


@cocotb.test()
async def reset_while_running(dut: Any) -> None:
    """A soft reset in the middle of bursts leaves the bus clean, a start while busy changes nothing."""
    host = await Host.begin(dut)
    long = dict(rows=8, row_words=16, dram_stride=16 * host.config.word_bytes, spad_stride=0)
    program = [transfer(Opcode.LOAD, **long), transfer(Opcode.STORE, **long | dict(dram_addr=RESULT)), HALT]
    text = b"".join(program)
    rng = random_source("reset")
    for _ in range(8):
        host.memory[BASE + PROGRAM : BASE + PROGRAM + len(text)] = text
        await host.write(Register.COUNT, len(program))
        await host.write(Register.CONTROL, 1)
        await cycles(dut, rng.randint(0, 300))
        await host.write(Register.CONTROL, 1)
        await host.write(Register.CONTROL, 2)
        while await host.read(Register.STATUS):
            pass
        assert not any(port.address.open for port in (*host.reads, host.writes))
    await host.copy()


@cocotb.test()
async def independent_memory(dut: Any) -> None:
    """A copy through cocotbext-axi's memory, which knows nothing of the accelerator's own rules."""
    await start(dut)
    config = AcceleratorConfig(**parameters()["config"])
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi_0"), dut.clk, dut.rst, size=SIZE)
    if config.memory_ports == 2:
        AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi_1"), dut.clk, dut.rst, size=SIZE, mem=ram.mem)
    lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
    image = random_source("image").randbytes(100 * config.word_bytes)
    ram.write(IMAGE, image)
    whole = dict(rows=4, row_words=25, dram_stride=25 * config.word_bytes, spad_stride=25)
    store = transfer(Opcode.STORE, **whole | dict(dram_addr=RESULT, wait0=1))
    ram.write(PROGRAM, transfer(Opcode.LOAD, **whole) + store + HALT)
    for register, value in ((Register.PROGRAM, PROGRAM), (Register.COUNT, 3), (Register.CONTROL, 1)):
        await lite.write_dword(register, value)
    for _ in range(500):
        if not (status := await lite.read_dword(Register.STATUS)) & BUSY:
            break
    assert status == DONE
    assert ram.read(RESULT, len(image)) == image
