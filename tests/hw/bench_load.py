# SPDX-License-Identifier: Apache-2.0
"""The load engine behind its read port, against a copy in NumPy; the memory model checks every burst's form and
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
from sim.streams import Source, cycles, start
from tests.hw.axi_memory import AxiReads
from tests.hw.transfers import Transfer, random_transfers, whole_rows

GIVEN = parameters()
CONFIG = AcceleratorConfig(**GIVEN["config"])
IDLE, STALL = GIVEN["idle"], GIVEN["stall"]
SIZE = CONFIG.word_bytes
DRAM = 1 << 18


class Bench:
    """The engine, its memory and its scratchpad; every stream pauses as the parameters say."""

    def __init__(self, dut: Any, latency: tuple[int, int]):
        self.dut, self.rng = dut, random_source("transfers")
        self.memory = bytearray(random_source("memory").randbytes(DRAM))
        self.base = self.rng.randrange(64) * 128
        self.reads = AxiReads(dut, "axi_", self.memory, random_source("axi"), latency, STALL)
        self.pad = ScratchpadModel(
            dut, CONFIG, writes=["write"], rng=random_source("scratchpad"), stall=STALL
        )
        self.monitor = EngineMonitor(dut, "control__")
        self.instructions = Source(dut, "control__instruction", random_source("instructions"), IDLE)
        dut.base.value = self.base

    @classmethod
    async def begin(cls, dut: Any, latency: tuple[int, int] = (5, 60)) -> Bench:
        for name in ("control__instruction__valid", "axi_rvalid", "stop"):
            getattr(dut, name).value = 0  # what the test before left there
        await start(dut)
        return cls(dut, latency)

    def send(self, transfers: Sequence[Transfer]) -> None:
        self.instructions.send(transfer.encode(Opcode.LOAD) for transfer in transfers)

    def word(self, address: int) -> int:
        return int.from_bytes(self.memory[self.base + address : self.base + address + SIZE], "little")

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
    """Every word arrives once, in order, nothing else changes, the fewest bursts are used, and an instruction
    retires in the cycle after its last write."""
    bench = await Bench.begin(dut)
    transfers = random_transfers(bench.rng, 24, CONFIG.spad_words, SIZE)
    bench.send(transfers)
    await bench.monitor.wait(len(transfers))
    await cycles(dut, 100)
    want = np.zeros((CONFIG.spad_words, SIZE), np.uint8)
    writes = iter(bench.pad.writes)
    for transfer, (cycle, index) in zip(transfers, bench.monitor.retired, strict=True):
        last = None
        for source, target in transfer.moves(SIZE):
            last = next(writes)
            got = (last.addr, last.data, last.mask)
            assert got == (target, bench.word(source), (1 << SIZE) - 1), f"{transfer}: word {target}"
            begin = bench.base + source
            want[target] = np.frombuffer(bench.memory[begin : begin + SIZE], np.uint8)
        assert last and (index, cycle) == (transfer.index, last.cycle + 1), f"{transfer} retired at {cycle}"
    assert next(writes, None) is None
    np.testing.assert_array_equal(bench.pad.memory[: CONFIG.spad_words], want)
    bursts = [burst for transfer in transfers for burst in transfer.bursts(bench.base, SIZE)]
    assert [(burst.address, burst.beats * BEAT_BYTES) for burst in bench.reads.address.bursts] == bursts
    assert int(dut.idle.value)


@cocotb.test(skip=bool(IDLE or STALL))
async def full_rate(dut: Any) -> None:
    """One beat a cycle at a latency of 45 cycles, across rows and instructions, and every one counts as busy."""
    bench = await Bench.begin(dut, latency=(45, 45))
    transfers = whole_rows(12, SIZE)
    bench.send(transfers)
    await bench.monitor.wait(len(transfers))
    writes, beats = bench.pad.writes, CONFIG.word_beats
    assert writes[-1].cycle - writes[0].cycle == (len(writes) - 1) * beats
    assert bench.monitor.activity[Counter.BUSY] == len(writes) * beats
    assert bench.monitor.activity[Counter.MEMORY] <= 45 + 8


@cocotb.test()
async def an_error_names_its_instruction(dut: Any) -> None:
    """A read error is reported once, with the index of the instruction whose beat it was, be it the first one
    behind another instruction's last."""
    bench = await Bench.begin(dut, latency=(5, 20))
    done = 0
    for trial in range(16):
        transfers = random_transfers(bench.rng, 4, CONFIG.spad_words, SIZE)
        wrong = bench.rng.choice(transfers[1:])
        moves = wrong.moves(SIZE)
        at = (moves[0][0], moves[-1][0] + SIZE - BEAT_BYTES, bench.rng.choice(moves)[0])[trial % 3]
        bench.reads.bad = range(bench.base + at, bench.base + at + BEAT_BYTES)
        bench.send(transfers)
        done += len(transfers)
        await bench.retired(done)
        got = [fault[1:] for fault in bench.monitor.faults]
        assert got == [(Fault.READ, wrong.index)], f"trial {trial}: {got}, {wrong} of {transfers}"
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
    assert len(bench.reads.address.bursts) == len(good.bursts(bench.base, SIZE))


@cocotb.test()
async def refuses_a_word_beyond_the_scratchpad(dut: Any) -> None:
    """The last row of the second instruction does not fit: its first two words do."""
    bench = await Bench.begin(dut)
    bench.pad.words = 1 << 16  # the model takes what the engine must report
    edge = CONFIG.spad_words - 2
    bench.send([Transfer(1, 0, 8 * SIZE, edge, 0, 2, 2), Transfer(2, 0, 8 * SIZE, edge - 3, 3, 2, 3)])
    assert await bench.fault() == (Fault.ADDRESS, 2)
    assert len(bench.pad.writes) in (9, 10) and bench.pad.writes[8].addr == edge + 1


@cocotb.test()
async def stops_cleanly(dut: Any) -> None:
    """After ``stop`` no burst starts but one already shown, and what is outstanding is completed."""
    bench = await Bench.begin(dut)
    bench.send(random_transfers(bench.rng, 24, CONFIG.spad_words, SIZE))
    await cycles(dut, bench.rng.randrange(40, 600))
    dut.stop.value = 1
    await cycles(dut, 1)
    seen = len(bench.reads.address.bursts)
    await cycles(dut, 1000)
    assert int(dut.idle.value) and not bench.reads.address.open
    assert len(bench.reads.address.bursts) <= seen + 1
