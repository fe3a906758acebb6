# SPDX-License-Identifier: Apache-2.0
"""Runs on Verilator: random instructions of a depthwise unit against the model, its throughput and its faults."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cocotb
import numpy as np

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Deform, Fault, Mode
from codesign.program.registers import Counter
from hw.scratchpad import LATENCY
from sim.bench import parameters, random_source
from sim.scratchpad import EngineMonitor, ScratchpadModel
from sim.streams import Source, cycles, start
from tests.hw.depthwise_model import WORDS, Work, execute, random_work
from tests.hw.gated import Gate

CONFIG = AcceleratorConfig(**parameters()["config"])


class Unit:
    """The unit with everything around it."""

    def __init__(self, dut: Any, idle: float = 0.0, stall: float = 0.0):
        self.instructions = Source(dut, "control__instruction", random_source("instruction"), idle)
        self.params = Source(dut, "params", random_source("params"), idle)
        self.scratchpad = ScratchpadModel(
            dut, CONFIG, ["read"], ["write"], random_source("scratchpad"), stall, latency=LATENCY
        )
        self.monitor = EngineMonitor(dut, "control__")
        self.gate = Gate(dut, random_source("open"), idle)
        content = np.random.default_rng(random_source("content").getrandbits(32))
        self.scratchpad.memory[:WORDS] = content.integers(0, 256, (WORDS, CONFIG.lanes))
        self.retired = 0

    def place(self, work: Work) -> None:
        """Put the offsets there and say what will be written."""
        if work.fields["deform"] != Deform.NONE:
            self.scratchpad.load(work.fields["off_src"], work.offsets)

    def send(self, works: list[Work]) -> None:
        self.instructions.send(work.instruction for work in works)
        for work in works:
            self.params.send(work.beats)

    async def run(self, works: list[Work]) -> None:
        """Send all, wait for all."""
        self.retired += len(works)
        self.send(works)
        await self.monitor.wait(self.retired)


def check(unit: Unit, works: list[Work], want: list[dict[int, np.ndarray]]) -> None:
    """Every write, in order."""
    writes = iter(unit.scratchpad.writes)
    for work, words in zip(works, want):
        for address, data in words.items():
            write = next(writes)
            got = np.frombuffer(write.data.to_bytes(CONFIG.lanes, "little"), np.int8)
            assert (write.addr, write.mask) == (address, (1 << CONFIG.lanes) - 1), work.fields
            assert np.array_equal(got, data), f"{work.fields}\nword {address}\ngot  {got}\nwant {data}"
    assert next(writes, None) is None, "words left over"
    assert [index for _, index in unit.monitor.retired] == [work.fields["index"] for work in works]


@cocotb.test()
async def random_instructions(dut):
    """All modes, deformations, strides and kernels back to back; sources and destinations do not overlap."""
    given, rng = parameters(), random_source()
    await start(dut)
    unit = Unit(dut, given["idle"], given["stall"])
    works = [random_work(rng, CONFIG.lanes) for _ in range(given["count"])]
    want = []
    batch: list[Work] = []
    for number, work in enumerate(works):
        work.fields["off_src"] = 2048 + 64 * (number % 8)
        unit.place(work)
        want.append(execute(work, unit.scratchpad.memory, CONFIG.depthwise_requant))
        batch.append(work)
        if len(batch) == 8 or number == len(works) - 1:  # before their offsets are overwritten
            await unit.run(batch)
            batch = []
    check(unit, works, want)


@cocotb.test()
async def small_plain_kernels_of_wide_rows(dut):
    """Where words are kept for the next pixels, and a window's taps come together: any stride, side and border."""
    given, rng = parameters(), random_source("kept")
    await start(dut)
    unit = Unit(dut, given["idle"], given["stall"])
    works = []
    for number in range(given["count"]):
        fixed = {"mode": [Mode.MAC, Mode.MAX, Mode.WINDOW, Mode.WINDOW][number % 4], "deform": Deform.NONE}
        fixed |= {"kh": rng.randint(1, 3), "kw": rng.choice([1, 2, 3, 3]), "w8": 0}
        fixed |= {"rows": rng.randint(1, 4), "cols": rng.randint(1, 13), "dst_pitch": 13}
        fixed |= {"in_w": rng.choice([8, 16, 24, rng.randint(1, 24)]), "up": int(rng.random() < 0.2)}
        if rng.random() < 0.5:
            fixed |= {"x0": rng.choice([-3, -1, 1, 5]), "stride": rng.choice([2, 2, 4]), "kw": 3, "up": 0}
        works.append(random_work(rng, CONFIG.lanes, **fixed))
    want = [execute(work, unit.scratchpad.memory, CONFIG.depthwise_requant) for work in works]
    await unit.run(works)
    check(unit, works, want)


@cocotb.test()
async def borders_and_bounds(dut):
    """Distance 0..7 at every corner of a small map; every kernel size of 1..7."""
    rng = random_source("borders")
    await start(dut)
    unit = Unit(dut)
    works, want = [], []
    for number in range(8):
        fixed = {
            "deform": Deform.SQUARE,
            "mode": Mode.MAC,
            "kh": 3,
            "kw": 3,
            "rows": 5,
            "cols": 5,
            "stride": 1,
        }
        fixed |= {"in_h": 5, "in_w": 5, "y0": -1, "x0": -1, "up": 0, "off_pitch": 5}
        works.append(random_work(rng, CONFIG.lanes, **fixed))
        works[-1].offsets[:] = number
        works.append(
            random_work(rng, CONFIG.lanes, mode=Mode.MAC, deform=0, kh=1 + number % 7, kw=7 - number % 7)
        )
    for number, work in enumerate(works):
        work.fields["off_src"] = 2048 + 64 * number
        unit.place(work)
        want.append(execute(work, unit.scratchpad.memory, CONFIG.depthwise_requant))
    await unit.run(works)
    check(unit, works, want)


async def region(dut: Any, **fixed: int) -> tuple[int, EngineMonitor, int]:
    """Cycles from the first tap in the lanes to the retirement of a 16 x 16 region, the monitor, and words read."""
    await start(dut)
    unit = Unit(dut)
    fixed = {"rows": 16, "cols": 16, "in_h": 16, "in_w": 16, "y0": -1, "x0": -1, "stride": 1, "up": 0} | fixed
    fixed["ring"] = 0
    fixed |= {"pitch": 16, "off_pitch": 16, "dst_pitch": 16, "src": 0, "off_src": 2048, "dst": 3072}
    work = random_work(random_source(), CONFIG.lanes, **{"kh": 3, "kw": 3, "mode": Mode.MAC} | fixed)
    unit.place(work)
    want = execute(work, unit.scratchpad.memory, CONFIG.depthwise_requant)
    await unit.run([work])
    check(unit, [work], [want])
    shown = unit.monitor.activity
    taken = sum(count for code, count in shown.items() if code not in (Counter.IDLE, Counter.PARAM))
    dut._log.info("region %s: %d cycles, activity %s", fixed, taken, shown)
    return taken, unit.monitor, unit.scratchpad.read_count


@cocotb.test()
async def throughput_of_a_plain_kernel(dut):
    taken, monitor, _ = await region(dut, deform=Deform.NONE, w8=0)
    assert monitor.activity[Counter.BUSY] == 9 * 256
    assert taken <= 9 * 256 + 60


@cocotb.test()
async def throughput_of_a_deformed_kernel(dut):
    for deform in (Deform.SQUARE, Deform.PAIRS):
        if deform == Deform.PAIRS and CONFIG.lanes < 18:
            continue
        taken, _, _ = await region(dut, deform=deform, w8=0)
        assert taken <= 10 * 256 + 60


@cocotb.test()
async def words_are_read_once_a_row_of_pixels(dut):
    """A 3 x 3 kernel of stride 1 reads three words a pixel, of stride 2 six; outside the image none."""
    for stride, size in ((1, 16), (2, 8)):
        for mode in (Mode.MAC, Mode.MAX):
            shape = {"stride": stride, "rows": size, "cols": size, "mode": mode}
            _, monitor, reads = await region(dut, deform=Deform.NONE, w8=0, **shape)
            inside = sum(0 <= stride * oy + ky - 1 < 16 for oy in range(size) for ky in range(3))
            assert reads == inside * 16
            assert monitor.activity[Counter.BUSY] == 9 * size**2


@cocotb.test(skip=CONFIG.lanes < 27)
async def throughput_of_a_window(dut):
    """A row of three pixels takes a cycle, two where it lies in two words; every word is read once a row."""
    shape = {"stride": 2, "rows": 4, "cols": 16, "in_w": 32, "in_h": 8, "mode": Mode.WINDOW}
    taken, monitor, reads = await region(dut, deform=Deform.NONE, w8=0, **shape)
    pixels = CONFIG.lanes // 4
    split = sum((2 * ox - 1) % pixels > pixels - 3 for ox in range(16))
    assert monitor.activity[Counter.BUSY] == 4 * 3 * (16 + split)
    assert reads == (2 + 3 * 3) * (32 // pixels)
    assert taken <= monitor.activity[Counter.BUSY] + 60


@cocotb.test()
async def throughput_of_8_bit_weights(dut):
    taken, monitor, _ = await region(dut, deform=Deform.NONE, w8=1)
    assert monitor.activity[Counter.BUSY] == 18 * 256
    assert taken <= 18 * 256 + 60


@cocotb.test()
async def few_bubbles_between_instructions(dut):
    await start(dut)
    unit = Unit(dut)
    fixed = {"rows": 4, "cols": 5, "kh": 3, "kw": 3, "mode": Mode.MAC, "deform": Deform.NONE, "w8": 0}
    works = [random_work(random_source(), CONFIG.lanes, **fixed) for _ in range(6)]
    want = [execute(work, unit.scratchpad.memory, CONFIG.depthwise_requant) for work in works]
    await unit.run(works)
    check(unit, works, want)
    retired = [cycle for cycle, _ in unit.monitor.retired]
    gaps = [after - before - 9 * 20 for before, after in pairwise(retired)]
    dut._log.info("bubbles between instructions: %s", gaps)
    assert max(gaps) <= 4


@cocotb.test()
async def parameters_come_before_tokens(dut):
    """While the gate is closed an instruction's parameters are loaded, those of one behind it are not."""
    await start(dut)
    unit, fixed = Unit(dut), {"mode": Mode.MAC, "deform": Deform.NONE}
    works = [random_work(random_source(str(number)), CONFIG.lanes, **fixed) for number in range(2)]
    want = [execute(work, unit.scratchpad.memory, CONFIG.depthwise_requant) for work in works]
    dut.open.value, unit.gate.STRETCH = 0, 1e9
    unit.send(works)
    await cycles(dut, len(works[0].beats) * 2 + 20)
    assert len(unit.params.queue) == len(works[1].beats)
    assert not unit.scratchpad.read_count and not unit.monitor.retired
    dut.open.value = 1
    await unit.monitor.wait(2)
    check(unit, works, want)


@cocotb.test()
async def throughput_of_an_addition(dut):
    """Two products a lane: twice the cycles of a pixel's requantisation, and two words read."""
    taken, monitor, reads = await region(dut, mode=Mode.ADD, y0=0, x0=0, off_up=0)
    busy = 2 * CONFIG.lanes // CONFIG.depthwise_requant * 256
    assert monitor.activity[Counter.BUSY] == busy
    assert taken <= busy + 60
    assert reads == 2 * 256


_LARGE = {"kh": 8, "kw": 3}
_REFUSED: list[dict[str, int]] = [
    {"mode": Mode.MAC, "deform": 3},
    {"mode": Mode.ADD, "kh": 1, "kw": 2},
    {"mode": Mode.ADD, "kh": 1, "kw": 1, "deform": 1},
    {"mode": Mode.MAC, "same": 0} | _LARGE,
    {"mode": Mode.MAC, "same": 1, "deform": 1} | _LARGE,
]


@cocotb.test()
@cocotb.parametrize(refused=_REFUSED)
async def what_does_not_fit_is_a_fault(dut, refused):
    """One instruction with parameters a test: they stay in their buffer."""
    await start(dut)
    unit = Unit(dut)
    for fixed in ({"rows": 0}, {"same": 1} | _LARGE, refused):
        work = random_work(random_source(), CONFIG.lanes, mode=Mode.MAX, deform=Deform.NONE)
        work.fields |= fixed
        unit.instructions.send([work.instruction])
        await cycles(dut, 10)
        (fault,) = unit.monitor.faults
        assert fault[1:] == (Fault.UNSUPPORTED, work.fields["index"])
        unit.monitor.faults.clear()
    assert not unit.monitor.retired and not unit.scratchpad.writes
