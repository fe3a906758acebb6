# SPDX-License-Identifier: Apache-2.0
"""The bench runner and the stream vocabulary, shown on a FIFO: every idle x back-pressure."""

from __future__ import annotations

import pytest
from amaranth import Elaboratable, Module, unsigned
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from hw.ports import ScratchpadRead, ScratchpadWrite
from sim.bench import BenchFailed, run_bench

WIDTH = 70


class StreamFIFO(wiring.Component):
    """A `SyncFIFOBuffered` between two streams; ``broken`` flips the lowest bit."""

    def __init__(self, broken: bool = False):
        self.broken = broken
        super().__init__(
            {"i": In(stream.Signature(unsigned(WIDTH))), "o": Out(stream.Signature(unsigned(WIDTH)))}
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.fifo = queue = fifo.SyncFIFOBuffered(width=WIDTH, depth=4)
        m.d.comb += [
            queue.w_data.eq(self.i.payload ^ self.broken),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m


@pytest.mark.parametrize("stall", [0, 0.5, 0.9])
@pytest.mark.parametrize("idle", [0, 0.5, 0.9])
def test_fifo_under_idle_and_back_pressure(idle: float, stall: float) -> None:
    run_bench(
        StreamFIFO(), "tests.sim.bench_fifo", "fifo", {"width": WIDTH, "idle": idle, "stall": stall}, seed=7
    )


def test_a_failed_bench_raises_and_names_the_test() -> None:
    parameters = {"width": WIDTH, "idle": 0, "stall": 0}
    with pytest.raises(BenchFailed, match=r"failed: .*values_pass_in_order") as error:
        run_bench(StreamFIFO(broken=True), "tests.sim.bench_fifo", "fifo_broken", parameters)
    assert "want" in str(error.value)


class Copier(wiring.Component):
    """Copies the words whose addresses come in to address + 4096, even lanes only."""

    def __init__(self, config: AcceleratorConfig):
        super().__init__(
            {
                "i": In(stream.Signature(unsigned(16))),
                "read": Out(ScratchpadRead(config)),
                "write": Out(ScratchpadWrite(config)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.words = words = fifo.SyncFIFOBuffered(width=128, depth=128)
        m.submodules.addresses = addresses = fifo.SyncFIFOBuffered(width=16, depth=128)
        request = self.write.request
        m.d.comb += [
            self.read.request.payload.eq(self.i.payload),
            self.read.request.valid.eq(self.i.valid),
            self.i.ready.eq(self.read.request.ready),
            addresses.w_data.eq(self.i.payload),
            addresses.w_en.eq(self.i.valid & self.i.ready),
            words.w_data.eq(self.read.data),
            words.w_en.eq(self.read.valid),
            request.valid.eq(words.r_rdy),
            request.payload.addr.eq(addresses.r_data + 4096),
            request.payload.data.eq(words.r_data),
            request.payload.mask.eq(0x5555),
            words.r_en.eq(request.valid & request.ready),
            addresses.r_en.eq(request.valid & request.ready),
        ]
        return m


@pytest.mark.parametrize(("idle", "stall", "latency"), [(0, 0, 1), (0.5, 0, 2), (0, 0.7, 3), (0.3, 0.3, 4)])
def test_scratchpad_model(idle: float, stall: float, latency: int) -> None:
    parameters = {"idle": idle, "stall": stall, "latency": latency}
    run_bench(Copier(AcceleratorConfig(lanes=16)), "tests.sim.bench_scratchpad", "copier", parameters)
