# SPDX-License-Identifier: Apache-2.0
"""Runs on Verilator: random traffic against a dictionary, latency, priority and fairness of the scratchpad."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb

from hw.scratchpad import LATENCY
from sim.bench import parameters, random_source
from sim.streams import Source, Ticker, cycles, start

GIVEN = parameters()
WORDS, BANKS, LANES, READERS, WRITERS = (
    GIVEN[name] for name in ("words", "banks", "lanes", "readers", "writers")
)


class Reader:
    """One read port: a source of addresses, and what came back with the cycle it came in."""

    def __init__(self, dut: Any, number: int, idle: float = 0.0):
        prefix = f"read__{number}"
        self.source = Source(dut, f"{prefix}__request", random_source(f"{prefix}"), idle)
        self.valid, self.data = getattr(dut, f"{prefix}__valid"), getattr(dut, f"{prefix}__data")
        self.answers: list[tuple[int, int]] = []
        self.ticker = Ticker.of(dut)
        self.ticker.agents.append(self)

    def tick(self) -> None:
        if int(self.valid.value):
            self.answers.append((self.ticker.cycle, int(self.data.value)))

    async def finished(self, count: int) -> None:
        for _ in range(20000):
            if len(self.answers) >= count:
                return
            await self.ticker.edge()
        raise TimeoutError(f"{len(self.answers)} of {count} words came")


def write_word(addr: int, data: int, mask: int) -> int:
    return addr | data << 16 | mask << (16 + 8 * LANES)


def merged(old: int, data: int, mask: int) -> int:
    keep = sum(0xFF << 8 * lane for lane in range(LANES) if not mask >> lane & 1)
    return (old & keep) | (data & ~keep)


def writers(dut: Any, idle: float = 0.0) -> list[Source]:
    return [Source(dut, f"write__{i}__request", random_source(f"write{i}"), idle) for i in range(WRITERS)]


async def fill(sources: list[Source], rng: random.Random) -> dict[int, int]:
    """Write every word once, in full."""
    content = {address: rng.getrandbits(8 * LANES) for address in range(WORDS)}
    for address, data in content.items():
        sources[address % WRITERS].send([write_word(address, data, (1 << LANES) - 1)])
    for source in sources:
        await source.drained()
    return content


@cocotb.test()
async def reads_see_every_earlier_write(dut):
    """Writers own disjoint addresses; a read returns the content as of some moment between its handshake and its
    answer, and never one older than the writes handshaken before it was requested."""
    rng = random_source()
    await start(dut)
    write = writers(dut, GIVEN["idle"])
    history = {address: [(0, data)] for address, data in (await fill(write, rng)).items()}
    read = [Reader(dut, i, GIVEN["idle"]) for i in range(READERS)]
    plans: list[deque[tuple[int, int]]] = [deque() for _ in write]
    for i, source in enumerate(write):
        for _ in range(GIVEN["count"]):
            address = rng.randrange(WORDS // WRITERS) * WRITERS + i
            data, mask = rng.getrandbits(8 * LANES), rng.getrandbits(LANES)
            source.send([write_word(address, data, mask)])
            plans[i].append((address, merged(history[address][-1][1], data, mask)))
            history[address].append((-1, plans[i][-1][1]))
    for address in history:
        history[address] = history[address][:1]
    asked = [[rng.randrange(WORDS) for _ in range(GIVEN["count"])] for _ in read]
    before = [len(source.transfers) for source in write]
    for reader, addresses in zip(read, asked):
        reader.source.send(addresses)
    for source in write:
        await source.drained()
    for reader in read:
        await reader.finished(GIVEN["count"])
    for source, plan, skip in zip(write, plans, before):
        for cycle, (address, data) in zip(source.transfers[skip:], plan):
            history[address].append((cycle, data))
    for reader, addresses in zip(read, asked):
        for request, (answer, data), address in zip(reader.source.transfers, reader.answers, addresses):
            assert answer >= request + LATENCY
            versions = history[address]
            newest = max(i for i, (cycle, _) in enumerate(versions) if cycle < request)
            possible = [value for cycle, value in versions[newest:] if cycle <= answer]
            assert data in possible, f"word {address} requested in cycle {request}: stale or wrong"
    assert len(read[0].answers) == GIVEN["count"]


@cocotb.test()
async def reader_0_never_waits(dut):
    await start(dut)
    content = await fill(writers(dut), random_source())
    read = [Reader(dut, i) for i in range(READERS)]
    addresses = [BANKS * (i % (WORDS // BANKS)) for i in range(200)]  # everybody wants bank 0
    for reader in read:
        reader.source.send(addresses)
    await read[0].finished(200)
    assert read[0].source.transfers[-1] - read[0].source.transfers[0] == 199, "one request a cycle"
    for cycle, (answer, data), address in zip(read[0].source.transfers, read[0].answers, addresses):
        assert answer == cycle + LATENCY and data == content[address]
    for reader in read[1:]:
        await reader.finished(200)
        assert reader.answers[0][0] > read[0].answers[-1][0], "the bank belonged to reader 0"


@cocotb.test()
async def the_others_share_a_bank_fairly(dut):
    await start(dut)
    read = [Reader(dut, i) for i in range(READERS)]
    write = writers(dut)
    for reader in read[1:]:
        reader.source.send([BANKS] * 300)
    for source in write:
        source.send([write_word(BANKS, 0, 1)] * 300)
    await cycles(dut, 200)
    served = [len(reader.answers) for reader in read[1:]]
    assert max(served) - min(served) <= 1 and sum(served) >= 190, served
    written = [len(source.transfers) for source in write]
    assert max(written) - min(written) <= 1 and sum(written) >= 190, written
    for reader in read[1:]:
        await reader.finished(300)
    for source in write:
        await source.drained()


@cocotb.test()
async def different_banks_in_parallel(dut):
    await start(dut)
    read = [Reader(dut, i) for i in range(min(READERS, BANKS))]
    for i, reader in enumerate(read):
        reader.source.send([(i + j) % BANKS for j in range(100)])  # never two in one bank
    for reader in read:
        await reader.finished(100)
        assert reader.source.transfers[-1] - reader.source.transfers[0] == 99
        assert all(a == r + LATENCY for r, (a, _) in zip(reader.source.transfers, reader.answers))


@cocotb.test()
async def addresses_out_of_range(dut):
    ticker = await start(dut)
    write = writers(dut)
    content = await fill(write, random_source())
    seen: list[tuple[int, int, int]] = []

    class Watch:
        def tick(self) -> None:
            if int(dut.read_error.value) or int(dut.write_error.value):
                seen.append((ticker.cycle, int(dut.read_error.value), int(dut.write_error.value)))

    ticker.agents.append(Watch())
    reader = Reader(dut, READERS - 1)
    full = (1 << LANES) - 1
    write[WRITERS - 1].send([write_word(address, 0, full) for address in (WORDS, WORDS + 1, 0xFFFF)])
    await write[WRITERS - 1].drained()
    await cycles(dut, 4)
    assert [bits for _, _, bits in seen] == [1 << (WRITERS - 1)] * 3 and not any(bits for _, bits, _ in seen)
    seen.clear()
    reader.source.send([WORDS - 1, WORDS, 5])
    await reader.finished(3)
    assert len(seen) == 1 and seen[0][1:] == (1 << (READERS - 1), 0)
    assert [reader.answers[i][1] for i in (0, 2)] == [content[WORDS - 1], content[5]]
    check = Reader(dut, 0)
    check.source.send(range(WORDS))
    await check.finished(WORDS)
    assert [data for _, data in check.answers] == [content[address] for address in range(WORDS)]
