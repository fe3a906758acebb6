# SPDX-License-Identifier: Apache-2.0
"""The design that the ECP5 flow makes a bitstream of: passes on golden's digest, and on nothing else."""

from __future__ import annotations

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring

from codesign.boards import load_board
from codesign.build.worker import array_layout
from codesign.ecp5.frame import tiny_frame
from codesign.program.registers import Register
from hw.self_test import DIGEST_BITS, Frame, SelfTest, digest_of
from hw.top import Accelerator, ports
from sim.bench import run_bench

BOARD = load_board("ulx3s-85f:array_out=4,spad_words=1024,depthwise_requant=1,queue_depth=4,acc_depth=64")
PASSED, WRONG, FAULT = 1, 2, 4
WRITTEN = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
MASK = 0x00FF00FFFFFFFFFF


class Pretender(wiring.Component):
    """An accelerator's ports, behind which the start writes the rows `WRITTEN` at row 4 in one burst.

    From run ``wrong`` on their lowest bit is another, from run ``idle`` on nothing is written; run ``fault`` ends with a fault.
    """

    def __init__(self, wrong: int = 9, idle: int = 9, fault: int = 9):
        super().__init__(ports(BOARD.accelerator))
        self._wrong, self._idle, self._fault = wrong, idle, fault

    def elaborate(self, platform: object) -> Module:
        m, runs, written = Module(), Signal(4), Signal(2)
        done, fault, address = Signal(), Signal(), Signal(12)
        m.d.comb += [self.s_axi_awready.eq(1), self.s_axi_wready.eq(1), self.s_axi_arready.eq(1)]
        m.d.comb += self.s_axi_rdata.eq((done & ~fault) << 1 | (done & fault) << 2)
        m.d.sync += [self.s_axi_bvalid.eq(self.s_axi_wvalid), self.s_axi_rvalid.eq(self.s_axi_arvalid), address.eq(self.s_axi_awaddr)]
        m.d.comb += [self.m_axi_0_awaddr.eq(4 * 8), self.m_axi_0_awlen.eq(1), self.m_axi_0_bready.eq(1), self.m_axi_0_wstrb.eq(0xFF)]
        m.d.comb += [self.m_axi_0_wdata.eq(WRITTEN[0] ^ (runs >= self._wrong)), self.m_axi_0_wlast.eq(written == 1)]
        with m.If(written == 1):
            m.d.comb += self.m_axi_0_wdata.eq(WRITTEN[1])
        with m.FSM():
            with m.State("idle"):
                with m.If(self.s_axi_wvalid & (self.s_axi_awaddr == int(Register.CONTROL)) & self.s_axi_wdata[0]):
                    m.d.sync += [done.eq(0), written.eq(0), runs.eq(runs + 1)]
                    m.next = "start"
            with m.State("start"):
                m.d.comb += self.m_axi_0_awvalid.eq(runs < self._idle)
                with m.If((runs >= self._idle) | self.m_axi_0_awready):
                    m.next = "write"
            with m.State("write"):
                m.d.comb += self.m_axi_0_wvalid.eq((runs < self._idle) & (written < 2))
                with m.If(self.m_axi_0_wready):
                    m.d.sync += written.eq(written + 1)
                with m.If((runs >= self._idle) | self.m_axi_0_bvalid):
                    m.d.sync += [done.eq(1), fault.eq(runs == self._fault)]
                    m.next = "idle"
        return m


PRETENDED = Frame((7, 7, 7, 7, 0, 0, 0, 0), 1, (4,), 2, ((MASK, MASK),), digest_of([row & MASK for row in WRITTEN]))


@pytest.mark.parametrize(
    ("mistake", "leds"),
    [({"wrong": 3, "fault": 4}, [PASSED, PASSED, WRONG, FAULT, WRONG]), ({"idle": 2}, [PASSED, WRONG])],
    ids=["a bit, a fault", "nothing written"],
)
def test_leds_say_how_a_run_ended(mistake: dict, leds: list[int]) -> None:
    """A run that writes nothing is found out because outputs are cleared as they are read."""
    run_bench(SelfTest(Pretender(**mistake), PRETENDED), "tests.hw.bench_self_test", "self_test", {"leds": leds})


@pytest.mark.slow
def test_the_accelerator_passes_on_goldens_digest_again_and_again() -> None:
    """The very design that is synthesised, in the smallest configuration."""
    whole = Accelerator(BOARD.accelerator, layout=array_layout(BOARD))
    run_bench(SelfTest(whole, tiny_frame(BOARD)), "tests.hw.bench_self_test", "self_test", {"leds": [PASSED] * 3})


def test_the_digest_is_golden_s_and_depends_on_the_picture(monkeypatch) -> None:
    frame = tiny_frame(BOARD)
    monkeypatch.setattr("codesign.ecp5.frame.PICTURE", 12)
    other = tiny_frame(BOARD)
    assert frame.digest != other.digest and frame.instructions == other.instructions and frame.planes == other.planes
    assert sum(a != b for a, b in zip(frame.content, other.content, strict=True)) > 100
    assert max(frame.planes) + frame.rows <= len(frame.content) and not any(frame.content[min(frame.planes) :])


def test_any_bit_of_a_row_changes_the_digest_and_order_counts() -> None:
    rows = [0x0123456789ABCDEF, 0, 0xFFFFFFFFFFFFFFFF]
    whole = digest_of(rows)
    assert 0 < whole < 1 << DIGEST_BITS
    assert digest_of(rows[1:], digest_of(rows[:1])) == whole
    assert digest_of(rows[::-1]) != whole
    for row in range(3):
        for bit in range(64):
            assert digest_of([value ^ (1 << bit if number == row else 0) for number, value in enumerate(rows)]) != whole
