# SPDX-License-Identifier: Apache-2.0
"""The real top in the frame simulator: programs of loads and stores, and its faults as answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codesign.boards import load_board
from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Engine, Fault, Opcode
from codesign.program.registers import IDENTITY, Counter, Register
from hw.generate import verilog
from sim import verilate
from sim.device import SimulatedDevice, SimulationError

# The computing engines are as small as they can be: this is about memory.
CONFIG = AcceleratorConfig(lanes=16, array_out=4, depthwise_units=1, spad_words=4096, depthwise_requant=1)
DRAM = load_board("pynq-z2").dram
PROGRAM, SOURCE, TARGET, SIZE = 0, 1 << 16, 1 << 18, 1 << 20
WORDS = 1024


@pytest.fixture(scope="module")
def library() -> Path:
    return verilate.build(verilog(CONFIG, monitors=True), CONFIG)


def copy(blocks: int, mask: int = 0xFFFF, **change: int) -> list[bytes]:
    """Load ``blocks`` blocks of 8 rows x 32 words, and store each, the lanes of ``mask``, when it is there."""
    rows, words = 8, 32
    program = []
    for block in range(blocks):
        place = {"rows": rows, "row_words": words, "spad_addr": 256 * block, "spad_stride": words}
        place |= {"dram_stride": words * CONFIG.word_bytes}
        at = 256 * block * CONFIG.word_bytes
        program.append(
            isa.encode(Opcode.LOAD, place | {"engine": Engine.LOAD, "dram_addr": SOURCE + at} | change)
        )
        wait = {"engine": Engine.STORE, "dram_addr": TARGET + at, "wait0": block + 1}
        program.append(isa.encode(Opcode.STORE, place | {"lane_mask": mask} | wait))
    return [*program, isa.encode(Opcode.HALT, {})]


def run(library: Path, program: list[bytes], watchdog: int = 0, **options: object) -> SimulatedDevice:
    device = SimulatedDevice(library, CONFIG, DRAM, SIZE, base=1 << 28, record=(0, 1, 2), **options)
    device.buffer[SOURCE:TARGET] = np.random.default_rng(3).integers(0, 256, TARGET - SOURCE, np.uint8)
    start(device, program, watchdog)
    return device


def start(device: SimulatedDevice, program: list[bytes], watchdog: int = 0) -> None:
    raw = b"".join(program)
    device.buffer[PROGRAM : PROGRAM + len(raw)] = np.frombuffer(raw, np.uint8)
    registers = {Register.PROGRAM: PROGRAM, Register.COUNT: len(program), Register.BASE: device.base}
    for register, value in (registers | {Register.WATCHDOG: watchdog, Register.CONTROL: 1}).items():
        device.register_write(register, value)
    device.wait(max_cycles=200_000)


def fault(device: SimulatedDevice) -> tuple[int, int, int]:
    assert device.register_read(Register.STATUS) & 4
    word = device.register_read(Register.FAULT)
    return word & 255, word >> 8 & 15, word >> 16


def check_copy(device: SimulatedDevice, blocks: int) -> None:
    assert device.register_read(Register.STATUS) == 2
    size = blocks * 256 * CONFIG.word_bytes
    assert np.array_equal(device.buffer[TARGET : TARGET + size], device.buffer[SOURCE : SOURCE + size])
    assert not device.buffer[TARGET + size :].any()


@pytest.mark.parametrize(("stall", "seed"), [(0, 0), (0.1, 1), (0.5, 2), (0.9, 3)])
def test_copies_are_exact_under_any_stalls(library: Path, stall: float, seed: int) -> None:
    device = run(library, copy(8), stall=stall, seed=seed)
    check_copy(device, 8)
    assert device.register_read(Register.ID) == IDENTITY
    traffic = device.traffic()
    assert traffic[0].read_bytes == traffic[0].write_bytes == 8 * 256 * CONFIG.word_bytes
    assert traffic[1].read_bytes == 17 * isa.INSTRUCTION_BYTES


def test_a_lane_mask_leaves_the_other_bytes(library: Path) -> None:
    device = run(library, copy(2, mask=0x8421), stall=0.3, seed=4)
    assert device.register_read(Register.STATUS) == 2
    size = 2 * 256 * CONFIG.word_bytes
    lanes = (0x8421 >> np.arange(CONFIG.lanes) & 1).astype(bool)
    source, target = (device.buffer[at : at + size].reshape(-1, CONFIG.lanes) for at in (SOURCE, TARGET))
    assert np.array_equal(target, np.where(lanes, source, 0))


def test_loads_and_stores_overlap_at_the_ports_rate(library: Path) -> None:
    device = run(library, copy(8))
    beats = 8 * 256 * CONFIG.word_beats
    cycles = device.register_read(Register.CYCLES)
    assert beats < cycles < 1.35 * beats, "reads and writes share no bus"


def test_monitors_and_counters_agree(library: Path) -> None:
    device = run(library, copy(8))
    writes = device.writes(device.writers.index("load"))
    assert np.array_equal(writes["addr"], np.arange(8 * 256))
    assert np.array_equal(writes["data"].view(np.uint8).ravel(), device.buffer[SOURCE : SOURCE + 2048 * 16])
    for engine in (Engine.LOAD, Engine.STORE):
        events = device.events(engine)
        assert np.array_equal(events["index"], np.arange(engine, 16, 2))
        assert (events["retire"] > events["start"]).all()
        offset = Register.COUNTERS + 32 * engine
        counters = [device.register_read(offset + 4 * counter) for counter in Counter]
        assert sum(counters) == device.register_read(Register.CYCLES)
    loads, stores = device.events(Engine.LOAD), device.events(Engine.STORE)
    assert (stores["start"] > loads["retire"]).all(), "a store waits for its load's token"


def test_faults_are_answers_and_a_soft_reset_recovers(library: Path) -> None:
    far = CONFIG.spad_words - 8
    cases = [
        (copy(1, spad_addr=far), {}, (Fault.ADDRESS, Engine.LOAD, 0)),
        ([bytes(64), *copy(1)], {}, (Fault.OPCODE, None, 0)),
        (copy(2), {"watchdog": 500, "wait": True}, (Fault.WATCHDOG, Engine.LOAD, 0)),
    ]
    for program, options, want in cases:
        if options.pop("wait", False):
            program = copy(2, wait0=9)
        device = run(library, program, **options)
        code, engine, index = fault(device)
        assert (code, index) == (want[0], want[2])
        assert want[1] is None or engine == want[1]
        device.register_write(Register.CONTROL, 2)
        start(device, copy(4))
        check_copy(device, 4)


@pytest.mark.parametrize(
    ("low", "code", "engine"),
    [(SOURCE + 4096, Fault.READ, Engine.LOAD), (TARGET + 4096, Fault.WRITE, Engine.STORE)],
)
def test_error_responses_are_faults(library: Path, low: int, code: Fault, engine: Engine) -> None:
    device = SimulatedDevice(library, CONFIG, DRAM, SIZE)
    device.inject_errors(low, low + 8)
    device.buffer[SOURCE:TARGET] = 7
    start(device, copy(4))
    assert fault(device)[:2] == (code, engine)
    device.run(2000)
    assert device.quiet, "what was outstanding has been completed"
    device.inject_errors(0, 0)
    device.register_write(Register.CONTROL, 2)
    start(device, copy(4))
    check_copy(device, 4)


def test_a_memory_that_stops_answering_is_named_and_left_behind(library: Path) -> None:
    device = SimulatedDevice(library, CONFIG, DRAM, SIZE, base=1 << 28)
    device.buffer[SOURCE:TARGET] = 7
    device.silence(device.cycle + 400, 1 << 62)
    with pytest.raises(SimulationError):
        start(device, copy(2), watchdog=5000)
    # AXI forbids to give up what is outstanding: busy, but the registers answer and say why
    assert device.register_read(Register.STATUS) == 1
    assert device.register_read(Register.FAULT) & 255 == Fault.WATCHDOG
    device.register_write(Register.CONTROL, 2)
    assert not device.advance(1000) and device.register_read(Register.STATUS) == 1
    device.silence(0, 0)
    device.advance(1000)
    assert device.register_read(Register.STATUS) == 0
    start(device, copy(2), watchdog=5000)
    check_copy(device, 2)


def test_a_store_outside_the_window_is_not_sent(library: Path) -> None:
    device = SimulatedDevice(library, CONFIG, DRAM, SIZE, base=1 << 28)
    device.buffer[SOURCE:TARGET] = 7
    device.register_write(Register.WRITE_LOW, TARGET)
    device.register_write(Register.WRITE_HIGH, TARGET + 2 * 4096)
    start(device, copy(3))
    assert fault(device) == (Fault.ADDRESS, Engine.STORE, 5)
    inside, beyond = np.split(device.buffer[TARGET:], [2 * 4096])
    assert (inside[:4096] == 7).all() and not beyond.any()  # of the second, what was sent before the fault
    start(device, copy(2))
    check_copy(device, 2)


def test_addresses_beyond_the_memory_or_between_beats_break_no_rule(library: Path) -> None:
    device = SimulatedDevice(library, CONFIG, DRAM, SIZE, base=1 << 28)
    device.answer_outside()
    start(device, copy(1, dram_addr=SIZE))
    assert fault(device)[0] == Fault.READ and device.outside[0] > 0 and device.outside[1] == 0
    device.buffer[SOURCE:TARGET] = 7
    start(device, copy(1, dram_addr=SOURCE + 5))  # rounded down
    check_copy(device, 1)
