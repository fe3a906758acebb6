# SPDX-License-Identifier: Apache-2.0
"""The memory model against a small master that behaves, or breaks one rule at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.boards import Dram, load_board
from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig
from codesign.program.registers import IDENTITY, Counter, Register
from sim import verilate
from sim.device import SimulatedDevice, SimulationError, Traffic

CONFIG = AcceleratorConfig()
DRAM = load_board("pynq-z2").dram
SIZE = 1 << 20
SOURCE, TARGET = 0, SIZE // 2

TWO_PORTS, NO_WRITES, NO_READS = 1, 2, 4

Maker = Callable[..., SimulatedDevice]


@pytest.fixture(scope="module")
def library() -> Path:
    return verilate.build(Path(__file__).with_name("dummy.v"), CONFIG)


@pytest.fixture
def make(library: Path) -> Iterator[Maker]:
    made = []

    def maker(dram: Dram = DRAM, **options: object) -> SimulatedDevice:
        device = SimulatedDevice(library, CONFIG, dram, SIZE, **options)
        device.buffer[: SIZE // 2] = np.random.default_rng(5).integers(0, 256, SIZE // 2, np.uint8)
        made.append(device)
        return device

    yield maker
    for device in made:
        device.close()


def begin(
    device: SimulatedDevice,
    bursts: int,
    mode: int = 0,
    *,
    source: int = SOURCE,
    target: int = TARGET,
    beats: int = 16,
    wrong: int = 0,
    outstanding: int = 8,
) -> None:
    word = mode | (beats - 1) << 8 | wrong << 16 | outstanding << 20
    values = {
        Register.PROGRAM: device.base + source,
        Register.COUNT: bursts,
        Register.BASE: device.base + target,
    }
    for register, value in (values | {Register.WATCHDOG: word, Register.CONTROL: 1}).items():
        device.register_write(register, value)


def cycles(device: SimulatedDevice, bursts: int, mode: int = 0, **options: int) -> int:
    begin(device, bursts, mode, **options)
    device.wait(max_cycles=2_000_000)
    return device.register_read(Register.CYCLES)


def test_registers(make: Maker) -> None:
    device = make()
    assert device.register_read(Register.ID) == IDENTITY
    device.register_write(Register.PROGRAM, 0x1234_5678)
    assert device.register_read(Register.PROGRAM) == 0x1234_5678


def test_data_are_copied_in_place(make: Maker) -> None:
    device = make(base=0x1000_0000)
    cycles(device, 1000)
    assert np.array_equal(device.buffer[TARGET : TARGET + 128_000], device.buffer[:128_000])
    assert not device.buffer[TARGET + 128_000 :].any()
    traffic = device.traffic()[0]
    assert traffic == Traffic(128_000, 1000, 128_000, 1000)
    assert device.quiet


def test_latency_is_the_boards(make: Maker) -> None:
    """One burst at a time takes the latency, its beats, and one more cycle of this master."""
    for latency in (1, DRAM.latency_cycles, 200):
        for beats in (1, 16):
            device = make(replace(DRAM, latency_cycles=latency))
            per_burst = (
                cycles(device, 200, NO_WRITES, beats=beats, outstanding=1)
                - cycles(device, 100, NO_WRITES, beats=beats, outstanding=1)
            ) / 100
            assert per_burst == latency + beats + 1


def rate(device: SimulatedDevice, mode: int, streams: int) -> float:
    """Bytes a cycle over all streams in the steady state."""
    return streams * 1000 * 128 / (cycles(device, 3000, mode) - cycles(device, 2000, mode))


@pytest.mark.parametrize(
    ("mode", "streams", "limit", "want"),
    [
        (NO_WRITES, 1, 16, 8),  # a port's own limit
        (NO_READS, 1, 16, 8),
        (0, 2, 16, 16),  # both directions of one port
        (NO_WRITES | TWO_PORTS, 2, 16, 16),  # both ports
        (TWO_PORTS, 3, 16, 16),  # three streams share the memory
        (TWO_PORTS, 3, 32, 24),
        (NO_WRITES, 1, 4, 4),  # slower than one port
        (TWO_PORTS, 3, 12, 12),
        (NO_WRITES, 1, 3, 3),
    ],
)
def test_bandwidth_is_the_boards(make: Maker, mode: int, streams: int, limit: int, want: float) -> None:
    device = make(replace(DRAM, bytes_per_cycle=limit))
    assert rate(device, mode, streams) == pytest.approx(want, rel=0.01)


def test_latency_limits_what_outstanding_bursts_can_carry(make: Maker) -> None:
    """8 bursts of 128 bytes under way and 200 cycles of latency cannot fill a port."""
    device = make(replace(DRAM, latency_cycles=200))
    assert rate(device, NO_WRITES, 1) == pytest.approx(8 * 128 / (200 + 16 + 1), rel=0.05)


def test_random_stalls_change_cycles_and_not_data(make: Maker) -> None:
    plain, seen = cycles(make(), 300), set()
    for seed in range(4):
        device = make(stall=0.3, seed=seed)
        seen.add(cycles(device, 300))
        assert np.array_equal(device.buffer[TARGET : TARGET + 38_400], device.buffer[:38_400])
    assert len(seen) == 4
    assert min(seen) > plain
    assert cycles(make(stall=0.3, seed=2), 300) in seen, "a seed repeats"


BROKEN = {
    "too many bursts outstanding": ({"outstanding": 9}, "port 0: more than 8 AR bursts outstanding"),
    "burst too long": ({"beats": 17}, "AR burst of 17 beats, at most 16 allowed"),
    "across 4 KiB": ({"source": 4096 - 64}, "AR burst 0xfc0..0x103f crosses a 4 KiB boundary"),
    "read outside": ({"source": SIZE}, "AR burst 0x100000..0x10007f is outside the memory 0x0..0xfffff"),
    "write outside": ({"target": SIZE - 128}, "AW burst 0x100000..0x10007f is outside"),
    "unaligned": ({"source": 4}, "ARADDR 0x4 is not a multiple of 8"),
    "valid falls": ({"wrong": 1}, "port 0: ARVALID fell before ARREADY"),
    "address changes": ({"wrong": 2}, "port 0: AR payload changed before ARREADY"),
    "last is early": ({"wrong": 3}, "WLAST is 1 at beat 3 of 16"),
    "narrow beats": ({"wrong": 4}, "ARSIZE is 2, must be 3"),
    "data change": ({"wrong": 5}, "port 0: W payload changed before WREADY"),
    "fixed burst": ({"wrong": 6}, "ARBURST is 0, must be 1"),
    "retires out of order": ({"wrong": 7}, "engine 0 retires instruction 3, which is not the oldest"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_stops_the_run(make: Maker, rule: str) -> None:
    options, message = BROKEN[rule]
    device = make(stall=0.2)
    with pytest.raises(SimulationError) as error:
        cycles(device, 40, **options)
    assert message in str(error.value)
    assert str(error.value).startswith("cycle ")


@pytest.mark.parametrize(
    ("low", "high", "bursts", "faults"),
    [
        (TARGET + 1280, TARGET + 1281, 20, True),  # a write
        (TARGET + 1280, TARGET + 1281, 10, False),  # one burst short of it
        (640, 648, 6, True),  # a read
        (640, 648, 5, False),
        (0, 0, 20, False),
    ],
)
def test_error_responses(make: Maker, low: int, high: int, bursts: int, faults: bool) -> None:
    device = make()
    device.inject_errors(low, high)
    cycles(device, bursts)
    assert bool(device.register_read(Register.STATUS) & 4) == faults


def test_a_write_is_seen_with_its_response(make: Maker) -> None:
    device = make(replace(DRAM, latency_cycles=100))
    begin(device, 1, NO_READS)
    device.run(100)
    assert not device.buffer[TARGET:].any()
    device.run(100)
    assert device.buffer[TARGET : TARGET + 128].any()


def test_monitors(make: Maker) -> None:
    device = make(record=(0,))
    begun = device.cycle
    cycles(device, 50, beats=4)
    writes, events = device.writes(0), device.events(0)
    assert writes["data"].shape == (200, 32)
    assert np.array_equal(writes["data"].view(np.uint8)[:, :8].ravel(), device.buffer[: 200 * 8])
    assert np.array_equal(writes["addr"], np.arange(200))
    assert (writes["mask"] == 0xFFFF).all()
    assert (np.diff(writes["cycle"].astype(int)) > 0).all()
    assert np.array_equal(events["index"], np.arange(50))
    assert (events["start"] >= begun).all()
    assert (events["retire"] > events["start"]).all()
    assert events["activity"][:, Counter.BUSY].sum() == 200
    assert events["activity"].sum() <= device.cycle
    device.clear()
    assert len(device.writes(0)) == len(device.events(0)) == device.traffic()[0].read_bytes == 0
    assert len(make(record=()).writes(0)) == 0


def test_progress_limit_and_allocation(make: Maker) -> None:
    device, seen = make(replace(DRAM, bytes_per_cycle=1)), []
    begin(device, 2000)
    device.wait(seen.append)
    assert len(seen) > 2
    assert seen == sorted(seen)
    begin(device, 2000)
    with pytest.raises(SimulationError, match="neither done nor fault after 1000 cycles"):
        device.wait(max_cycles=1000)
    first, second = device.allocate(100), device.allocate(SIZE // 2)
    assert first.address == 0
    assert second.address == 4096
    assert second.array.base is device.buffer
    with pytest.raises(UserError, match="bytes left"):
        device.allocate(SIZE)
    with pytest.raises(UserError, match=r"stall = 1\.5"):
        make(stall=1.5)
