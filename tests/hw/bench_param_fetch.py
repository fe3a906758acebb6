# SPDX-License-Identifier: Apache-2.0
"""Parameter fetcher, arbiter and read port together: order, credits, full rate, errors."""

from __future__ import annotations

from typing import Any

import cocotb

from codesign.program.isa import Engine
from hw.axi import BEAT_BYTES, Beat, Burst
from hw.dispatcher import ParamRequest
from sim.bench import parameters, random_source
from sim.streams import Sink, Source, cycles, start
from tests.hw.axi_memory import AxiReads

SIZE = 1 << 16


def beats_of(memory: bytearray, address: int, count: int) -> list[int]:
    return [
        int.from_bytes(memory[at : at + BEAT_BYTES], "little")
        for at in range(address, address + count * BEAT_BYTES, BEAT_BYTES)
    ]


async def begin(dut: Any, stall: float, latency: tuple[int, int]) -> tuple[bytearray, AxiReads, Source]:
    await start(dut)
    memory = bytearray(random_source("memory").randbytes(SIZE))
    reads = AxiReads(dut, "axi_", memory, random_source("axi"), latency, stall)
    dut.bursts__valid.value = 0
    dut.beats__ready.value = 0
    return memory, reads, Source(dut, "requests", random_source("requests"), stall, ParamRequest)


@cocotb.test()
async def keeps_order(dut: Any) -> None:
    """Random requests reach their engines in order, whatever the engines' pace, beside another client."""
    memory, _, requests = await begin(dut, 0.3, (5, 60))
    rng, consumers = random_source("what"), parameters()["consumers"]
    other = Source(dut, "bursts", random_source("other"), 0.8, Burst)
    beats = Sink(dut, "beats", random_source("beats"), 0.1, Beat)
    sinks = [
        Sink(dut, f"params{i}", random_source(f"sink{i}"), rng.choice([0.1, 0.6, 0.9]))
        for i in range(consumers)
    ]
    wants: list[list[int]] = [[] for _ in range(consumers)]
    own = []
    for index in range(30):
        unit, count, address = (
            rng.randrange(consumers),
            rng.choice([1, 3, 16, 40, 64]),
            rng.randrange(SIZE // 16) * BEAT_BYTES,
        )
        requests.send([dict(address=address, beats=count, engine=Engine.POINTWISE + unit, index=index)])
        wants[unit] += beats_of(memory, address, count)
        block = rng.randrange(SIZE // 128) * 128
        other.send([dict(address=block, len=15)])
        own += [dict(data=value, error=0) for value in beats_of(memory, block, 16)]
    for sink, want in zip(sinks, wants, strict=True):
        await sink.expect(want)
    await beats.expect(own)
    await cycles(dut, 100)
    for sink in (*sinks, beats):
        sink.expect_nothing()


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """One beat a cycle with a latency of 45 cycles while the FIFO has room."""
    memory, reads, requests = await begin(dut, 0.0, (45, 45))
    sink = Sink(dut, "params0", None, 0.0)
    requests.send([dict(address=i * 1024, beats=128, engine=Engine.POINTWISE, index=i) for i in range(8)])
    await sink.expect(beats_of(memory, 0, 1024))
    assert sink.transfers[-1] - sink.transfers[0] < 1024 + 10


@cocotb.test()
async def slow_consumer_blocks_nobody(dut: Any) -> None:
    """A full FIFO holds up requests behind it, and never the other client of the port."""
    memory, reads, requests = await begin(dut, 0.0, (5, 5))
    other, beats = Source(dut, "bursts", None, 0.0, Burst), Sink(dut, "beats", None, 0.0, Beat)
    dut.params1__ready.value = 0
    requests.send([dict(address=0, beats=1000, engine=Engine.DEPTHWISE, index=1)])
    await cycles(dut, 400)
    assert reads.beats <= parameters()["depthwise_beats"]
    other.send([dict(address=256, len=15)])
    await beats.expect([dict(data=value) for value in beats_of(memory, 256, 16)])


@cocotb.test()
async def error(dut: Any) -> None:
    memory, reads, requests = await begin(dut, 0.0, (5, 5))
    reads.bad = range(64, 72)
    requests.send([dict(address=0, beats=16, engine=Engine.DEPTHWISE, index=77)])
    for _ in range(100):
        await cycles(dut, 1)
        if int(dut.fault.value):
            assert (int(dut.fault_engine.value), int(dut.fault_index.value)) == (Engine.DEPTHWISE, 77)
            return
    raise AssertionError("no fault")
