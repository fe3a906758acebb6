# SPDX-License-Identifier: Apache-2.0
"""The store engine before its write port, against a copy in NumPy; the memory model checks every burst's form and
that at most 8 are outstanding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Fault, Opcode
from codesign.program.registers import Counter
from hw.axi import BEAT_BYTES
from sim.bench import parameters, random_source
from sim.scratchpad import EngineMonitor, ScratchpadModel
from sim.streams import Source, Ticker, cycles, start
from tests.hw.axi_memory import AxiWrites
from tests.hw.transfers import Transfer, random_transfers, whole_rows

GIVEN = parameters()
CONFIG = AcceleratorConfig(**GIVEN["config"])
IDLE, STALL = GIVEN["idle"], GIVEN["stall"]
SIZE = CONFIG.word_bytes
DRAM = 1 << 18


class Channel:
    """The cycles in which an AXI channel without payload checks hands something over."""

    def __init__(self, dut: Any, name: str):
        self.valid, self.ready = getattr(dut, f"axi_{name}valid"), getattr(dut, f"axi_{name}ready")
        self.transfers: list[int] = []
        self.ticker = Ticker.of(dut)
        self.ticker.agents.append(self)

    def tick(self) -> None:
        if int(self.valid.value) and int(self.ready.value):
            self.transfers.append(self.ticker.cycle)


class Bench:
    """The engine, its memory and its scratchpad; every stream pauses as the parameters say."""

    def __init__(self, dut: Any, latency: tuple[int, int]):
        self.dut, self.rng = dut, random_source("transfers")
        self.memory = bytearray(random_source("memory").randbytes(DRAM))
        self.base = self.rng.randrange(64) * 128
        self.answers, self.beats = Channel(dut, "b"), Channel(dut, "w")
        self.writes = AxiWrites(dut, "axi_", self.memory, random_source("axi"), latency, STALL)
        self.pad = ScratchpadModel(dut, CONFIG, reads=["read"], rng=random_source("scratchpad"), stall=STALL)
        words = random_source("words").randbytes(CONFIG.spad_words * SIZE)
        self.pad.load(0, np.frombuffer(words, np.uint8).reshape(-1, SIZE))
        self.monitor = EngineMonitor(dut, "control__")
        self.instructions = Source(dut, "control__instruction", random_source("instructions"), IDLE)
        dut.base.value = self.base

    @classmethod
    async def begin(cls, dut: Any, latency: tuple[int, int] = (5, 60)) -> Bench:
        for name in ("control__instruction__valid", "read__valid", "axi_bvalid", "stop"):
            getattr(dut, name).value = 0  # what the test before left there
        await start(dut)
        return cls(dut, latency)

    def send(self, transfers: Sequence[Transfer]) -> None:
        self.instructions.send(transfer.encode(Opcode.STORE) for transfer in transfers)

    def copied(self, transfers: Sequence[Transfer]) -> np.ndarray:
        """DRAM as it has to look after ``transfers``."""
        want = np.frombuffer(bytes(self.memory), np.uint8).copy()
        for transfer in transfers:
            lanes = [lane for lane in range(SIZE) if transfer.lane_mask >> lane & 1]
            for target, source in transfer.moves(SIZE):
                want[self.base + target :][lanes] = self.pad.memory[source, lanes]
        return want

    async def fault(self) -> tuple[int, int]:
        """Code and index of the first fault."""
        for _ in range(5000):
            if self.monitor.faults:
                return self.monitor.faults[0][1:]
            await cycles(self.dut, 1)
        raise TimeoutError("no fault")

    async def retired(self, count: int) -> None:
        """Wait for ``count`` retirements, whatever else is reported."""
        for _ in range(50_000):
            if len(self.monitor.retired) >= count:
                return
            await cycles(self.dut, 1)
        raise TimeoutError(f"{len(self.monitor.retired)} of {count} retired")


@cocotb.test()
async def copies_rectangles(dut: Any) -> None:
    """Every word arrives, no other byte changes, every word is read once, the fewest bursts are used, and an
    instruction retires with the answer to its last burst."""
    bench = await Bench.begin(dut)
    transfers = random_transfers(bench.rng, 24, CONFIG.spad_words, SIZE)
    want = bench.copied(transfers)
    bench.send(transfers)
    await bench.monitor.wait(len(transfers))
    await cycles(dut, 100)
    np.testing.assert_array_equal(np.frombuffer(bench.memory, np.uint8), want)
    words = sum(transfer.rows * transfer.words for transfer in transfers)
    lanes = (1 << SIZE) - 1
    written = sum(t.rows * t.words * (t.lane_mask & lanes).bit_count() for t in transfers)
    assert (bench.writes.written, bench.pad.read_count) == (written, words)
    answered, bursts = 0, []
    for transfer, (cycle, index) in zip(transfers, bench.monitor.retired, strict=True):
        bursts += transfer.bursts(bench.base, SIZE)
        answered = len(bursts)
        last = bench.answers.transfers[answered - 1]
        assert (index, cycle) == (transfer.index, last), f"{transfer} retired at {cycle}, not {last}"
    assert len(bench.answers.transfers) == answered
    assert [(burst.address, burst.beats * BEAT_BYTES) for burst in bench.writes.address.bursts] == bursts
    assert int(dut.idle.value)


@cocotb.test(skip=bool(IDLE or STALL))
async def full_rate(dut: Any) -> None:
    """One beat a cycle when answers take 45 cycles, across rows and instructions, and every one counts as busy."""
    bench = await Bench.begin(dut, latency=(45, 45))
    transfers = whole_rows(12, SIZE)
    bench.send(transfers)
    await bench.monitor.wait(len(transfers))
    beats = bench.beats.transfers
    assert len(beats) == 12 * 64 * CONFIG.word_beats and beats[-1] - beats[0] == len(beats) - 1
    assert bench.monitor.activity[Counter.BUSY] == len(beats)
    assert bench.monitor.activity[Counter.MEMORY] <= 10


@cocotb.test()
async def an_error_names_its_instruction(dut: Any) -> None:
    """A write error is reported once, with the index of the instruction whose burst it answers."""
    bench = await Bench.begin(dut, latency=(5, 20))
    done = 0
    for trial in range(16):
        transfers = random_transfers(bench.rng, 4, CONFIG.spad_words, SIZE)
        wrong = bench.rng.choice(transfers)
        bursts = wrong.bursts(bench.base, SIZE)
        at, _ = (bursts[0], bursts[-1], bench.rng.choice(bursts))[trial % 3]
        bench.writes.bad = range(at, at + BEAT_BYTES)
        bench.send(transfers)
        done += len(transfers)
        await bench.retired(done)
        got = [fault[1:] for fault in bench.monitor.faults]
        assert got == [(Fault.WRITE, wrong.index)], f"trial {trial}: {got}, {wrong} of {transfers}"
        bench.monitor.faults.clear()


@cocotb.test()
async def refuses_an_empty_transfer(dut: Any) -> None:
    """Neither rows nor words may be 0; what came before is finished, and no burst is asked for."""
    bench = await Bench.begin(dut)
    good, empty = Transfer(7, 0, SIZE, 3, 1, 2, 1), [(0, 3), (3, 0), (0, 0)][bench.rng.randrange(3)]
    bench.send([good, Transfer(8, 0, SIZE, 0, 1, *empty)])
    assert await bench.fault() == (Fault.UNSUPPORTED, 8)
    await bench.retired(1)
    await cycles(dut, 100)
    assert len(bench.writes.address.bursts) == len(good.bursts(bench.base, SIZE))


@cocotb.test()
async def refuses_a_word_beyond_the_scratchpad(dut: Any) -> None:
    """The last row of the second instruction does not fit; its first words do and are read."""
    bench = await Bench.begin(dut)
    bench.pad.words = 1 << 16  # the model answers what the engine must report
    edge = CONFIG.spad_words - 2
    bench.send([Transfer(1, 0, 8 * SIZE, edge, 0, 2, 2), Transfer(2, 0, 8 * SIZE, edge - 3, 3, 2, 3)])
    assert await bench.fault() == (Fault.ADDRESS, 2)
    assert bench.pad.read_count in (9, 10)


@cocotb.test()
async def writes_only_inside_the_window(dut: Any) -> None:
    """Stores inside are written; of one that leaves the window below, above or by its address' wrapping, no burst outside is
    asked for, and the fault names it."""
    bench = await Bench.begin(dut)
    low, high = 128 * 4, 128 * 20
    dut.write_low.value, dut.write_high.value = low, high
    await cycles(dut, 3)
    inside = Transfer(3, low, high - low - 4 * SIZE, 1, 4, 2, 4)  # its first and its last word touch the bounds
    want = bench.copied([inside])
    bench.send([inside])
    await bench.monitor.wait(1)
    outside = [(low - 128, 128), (high - 128, 128), (high, 128), (0, 128), (0xFFFF_FF00, 128)][bench.rng.randrange(5)]
    bench.send([Transfer(4, *outside, 1, 4, 2, 4)])
    assert await bench.fault() == (Fault.ADDRESS, 4)
    await cycles(dut, 200)
    burst = [(at, beats) for at, beats in ((b.address - bench.base, b.beats * BEAT_BYTES) for b in bench.writes.address.bursts)]
    assert all(low <= at and at + size <= high for at, size in burst), burst
    changed = np.flatnonzero(np.frombuffer(bytes(bench.memory), np.uint8) != want)
    assert ((changed >= bench.base + low) & (changed < bench.base + high)).all()
    dut.write_low.value = dut.write_high.value = 0


@cocotb.test()
async def stops_cleanly(dut: Any) -> None:
    """After ``stop`` no burst starts but one already shown, those outstanding are completed, and DRAM holds
    words that were asked for or what it held before."""
    bench = await Bench.begin(dut)
    transfers = random_transfers(bench.rng, 24, CONFIG.spad_words, SIZE)
    before, after = np.frombuffer(bytes(bench.memory), np.uint8), bench.copied(transfers)
    bench.send(transfers)
    await cycles(dut, bench.rng.randrange(40, 600))
    dut.stop.value = 1
    await cycles(dut, 1)
    seen = len(bench.writes.address.bursts)
    await cycles(dut, 1000)
    assert int(dut.idle.value) and not bench.writes.address.open
    assert len(bench.writes.address.bursts) <= seen + 1
    now = np.frombuffer(bytes(bench.memory), np.uint8)
    changed = np.flatnonzero(now != before)
    np.testing.assert_array_equal(now[changed], after[changed])
