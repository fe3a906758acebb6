# SPDX-License-Identifier: Apache-2.0
"""Runs on Verilator: the pointwise engine with scratchpad, parameters and instructions of uneven pace."""

import cocotb
import numpy as np

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.registers import Counter
from sim.bench import parameters, random_source
from sim.scratchpad import EngineMonitor, ScratchpadModel
from sim.streams import Source, cycles, start
from tests.hw.gated import Gate
from tests.hw.pointwise_model import Jobs, PointwiseModel


class Bench:
    """The engine, what surrounds it, and the model it must agree with."""

    def __init__(self, dut, pace: float):
        self.dut, self.config = dut, AcceleratorConfig(**parameters()["config"])
        self.jobs = Jobs(self.config, random_source("jobs"))
        self.golden = PointwiseModel(self.config)
        noise = np.random.default_rng(random_source("memory").randrange(1 << 30))
        self.golden.memory[:] = noise.integers(-128, 128, self.golden.memory.shape, np.int8)
        self.pad = ScratchpadModel(
            dut, self.config, ["read"], ["write"], random_source("pad"), pace, parameters()["latency"]
        )
        self.pad.load(0, self.golden.memory)
        self.instructions = Source(dut, "control__instruction", random_source("gate"), pace)
        self.params = Source(dut, "params", random_source("params"), pace)
        self.monitor = EngineMonitor(dut, "control__")
        self.gate = Gate(dut, random_source("open"), pace)

    async def run(self, jobs) -> None:
        """Execute ``jobs``; memory, writes and retirements must be the model's."""
        already, written = len(self.monitor.retired), len(self.pad.writes)
        for job in jobs:
            raw = isa.encode(isa.Opcode.POINTWISE, job.fields)
            self.instructions.send([int.from_bytes(raw, "little")])
            self.params.send(job.beats())
            self.golden.run(job)
        await self.monitor.wait(already + len(jobs))
        await cycles(self.dut, 5)
        assert [index for _, index in self.monitor.retired[already:]] == [job.fields["index"] for job in jobs]
        assert not self.params.queue, f"{len(self.params.queue)} parameter beats were not taken"
        wanted = sum(job.fields["rows"] * job.fields["cols"] for job in jobs if job.fields["last"])
        assert len(self.pad.writes) == written + wanted
        wrong = np.argwhere(self.pad.memory.view(np.int8) != self.golden.memory)
        for address, lane in wrong[:1]:
            got, want = self.pad.memory.view(np.int8)[address, lane], self.golden.memory[address, lane]
            raise AssertionError(f"{len(wrong)} wrong bytes: word {address} lane {lane}: {got}, want {want}")


@cocotb.test(skip="jobs" not in parameters())
async def random_instructions_equal_the_model(dut):
    await start(dut)
    bench = Bench(dut, parameters()["pace"])
    await bench.run(bench.jobs.sequence(parameters()["jobs"]))


@cocotb.test(skip="jobs" not in parameters())
async def every_instruction_alone_retires_after_its_last_write(dut):
    await start(dut)
    bench = Bench(dut, parameters()["pace"])
    for job in bench.jobs.sequence(6):
        await bench.run([job])
        if job.fields["last"]:
            assert bench.monitor.retired[-1][0] > bench.pad.writes[-1].cycle


@cocotb.test(skip="jobs" not in parameters())
async def tiny_regions_side_by_side_or_overlapping(dut):
    """One to three pixels whose accumulators touch, overlap or are the same again, with and without `first`."""
    await start(dut)
    bench, rng = Bench(dut, parameters()["pace"]), random_source("tiny")
    jobs = [bench.jobs.job(rows=4, cols=8, first=1)]  # the model starts with sums of 0
    for _ in range(parameters()["jobs"]):
        shape = {"rows": 1, "cols": rng.randint(1, 3), "planes": rng.randint(1, 3), "kh": 1, "kw": 1, "w8": 0}
        ends = {"first": rng.randint(0, 1), "last": rng.randint(0, 1)}
        jobs.append(bench.jobs.job(**shape, **ends, acc_base=rng.randint(20, 23)))
    await bench.run(jobs)


@cocotb.test(skip="throughput" not in parameters())
async def pixels_follow_each_other_without_a_bubble(dut):
    """Enough pixels a pass for its weights: bubbles only before an instruction's first pixel."""
    await start(dut)
    bench = Bench(dut, 0.0)
    for rows, cols, planes, kernel, lost in parameters()["throughput"]:
        shape = {"rows": rows, "cols": cols, "planes": planes, "kh": kernel, "kw": kernel, "w8": 0, "up": 0}
        jobs = [bench.jobs.job(**shape) for _ in range(6)]
        before = dict(bench.monitor.activity)
        await bench.run(jobs)
        spent = {key: value - before.get(key, 0) for key, value in bench.monitor.activity.items()}
        pixels = len(jobs) * rows * cols * planes * kernel**2
        assert spent[Counter.BUSY] == pixels
        waits = spent.get(Counter.PARAM, 0) + spent.get(Counter.MEMORY, 0)
        first = 2 * bench.config.array_out + len(jobs[0].weights[0, 0, 0].reshape(-1)) // 16 + 6
        dut._log.info("%dx%d, %d planes, kernel %d: %s", rows, cols, planes, kernel, spent)
        assert waits <= first + lost * (len(jobs) - 1), f"{rows}x{cols}: {spent}, {pixels} pixels"


@cocotb.test(skip="throughput" not in parameters())
async def parameters_come_before_tokens(dut):
    """While the gate is closed the requantisation parameters and the first tile are loaded, and nothing else happens;
    once it opens, the first pixel goes out in a few cycles."""
    await start(dut)
    bench = Bench(dut, 0.0)
    await bench.run([bench.jobs.job(rows=2, cols=3)])
    job = bench.jobs.job(rows=4, cols=4, planes=2, kh=1, kw=1, w8=0)
    dut.open.value, bench.gate.STRETCH = 0, 1e9
    instruction = int.from_bytes(isa.encode(isa.Opcode.POINTWISE, job.fields), "little")
    bench.instructions.send([instruction])
    bench.params.send(job.beats())
    await cycles(dut, 100)
    tile = bench.config.array_macs // 16
    assert len(bench.params.queue) == tile and len(bench.monitor.retired) == 1
    before = bench.monitor.activity[Counter.BUSY]
    dut.open.value = 1
    await cycles(dut, 6)
    assert bench.monitor.activity[Counter.BUSY] > before
    await bench.monitor.wait(2)


@cocotb.test(skip="throughput" not in parameters())
async def activity_tells_why_it_waits(dut):
    await start(dut)
    bench = Bench(dut, 0.0)
    await cycles(dut, 10)
    assert set(bench.monitor.activity) == {Counter.IDLE}
    bench.params.pause = 0.9
    await bench.run([bench.jobs.job(rows=2, cols=3)])
    assert bench.monitor.activity[Counter.PARAM] > 200 and bench.monitor.activity[Counter.DRAIN] > 5
