# SPDX-License-Identifier: Apache-2.0
"""The accelerator with a frame in block RAM and somebody who starts it and looks at the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Array, C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.registers import Register
from hw import axi
from hw.block_memory import BlockMemory

DIGEST_BITS = 32
WATCHDOG = 1_000_000
HEARTBEAT_BITS = 25  #: a bit that blinks about once a second


@dataclass(frozen=True)
class Frame:
    """``content``: 64-bit rows of memory before the frame; ``instructions`` in its program, which lies at 0.

    ``planes`` are the outputs' first rows, each of ``rows`` rows; ``masks`` of each, row by row of a word, say which bits count.
    ``digest`` is `digest_of` these rows as they should be.
    """

    content: tuple[int, ...]
    instructions: int
    planes: tuple[int, ...]
    rows: int
    masks: tuple[tuple[int, ...], ...]
    digest: int


def digest_of(rows: Sequence[int], before: int = 0) -> int:
    """32 bits of 64-bit ``rows``, one after the other: rotated left by one, then XORed with both halves."""
    for row in rows:
        before = (before << 1 | before >> DIGEST_BITS - 1) & (1 << DIGEST_BITS) - 1
        before ^= (row ^ row >> DIGEST_BITS) & (1 << DIGEST_BITS) - 1
    return before


class SelfTest(wiring.Component):
    """Runs ``frame`` once after reset and once for each push of ``again``, and compares the outputs' digest.

    Outputs are cleared as they are read, so that a run that writes nothing does not pass on the one before.
    ``led``: 0 passed, 1 wrong result, 2 fault, 3 at work, 4 heartbeat, 7:5 runs modulo 8.
    Parameters: ``accelerator``, which has one memory port; ``frame``.
    """

    def __init__(self, accelerator: Any, frame: Frame):
        super().__init__({"again": In(1), "led": Out(8)})
        self._frame = frame
        self.accelerator = accelerator
        self.memory = BlockMemory(frame.content)
        self._passed, self._wrong, self._fault = Signal(), Signal(), Signal()
        self._runs, self._step, self._digest = Signal(3), Signal(3), Signal(DIGEST_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator, m.submodules.memory = self.accelerator, self.memory
        for members, bus in ((axi.READ, self.memory.read), (axi.WRITE, self.memory.write)):
            for name, member in members.items():
                master, slave = getattr(self.accelerator, f"m_axi_0_{name}"), getattr(bus, name)
                m.d.comb += slave.eq(master) if member.flow is Out else master.eq(slave)
        beat = Signal(HEARTBEAT_BITS)
        m.d.sync += beat.eq(beat + 1)
        pushed = Signal(3)
        m.d.sync += pushed.eq(Cat(self.again, pushed[:2]))
        busy = Signal()
        with m.FSM(name="test"):
            with m.State("begin"):
                m.d.sync += [self._passed.eq(0), self._wrong.eq(0), self._fault.eq(0), self._digest.eq(0), self._step.eq(0)]
                m.d.comb += busy.eq(1)
                m.next = "write"
            self._program(m, busy)
            self._compare(m, busy)
            with m.State("end"):
                with m.If(pushed[1] & ~pushed[2]):
                    m.next = "begin"
        m.d.comb += self.led.eq(Cat(self._passed, self._wrong, self._fault, busy, beat[-1], self._runs))
        return m

    def _program(self, m: Module, busy: Signal) -> None:
        """Registers one after the other, then STATUS until done or fault."""
        top, frame = self.accelerator, self._frame
        writes = ((Register.PROGRAM, 0), (Register.COUNT, frame.instructions), (Register.BASE, 0),
                  (Register.WATCHDOG, WATCHDOG), (Register.CONTROL, 1))  # fmt: skip
        address_sent, data_sent = Signal(), Signal()
        m.d.comb += [
            top.s_axi_awaddr.eq(Array(C(int(register), 12) for register, _ in writes)[self._step]),
            top.s_axi_wdata.eq(Array(C(value, 32) for _, value in writes)[self._step]),
            top.s_axi_wstrb.eq(0xF),
            top.s_axi_araddr.eq(int(Register.STATUS)),
            top.s_axi_bready.eq(1),
            top.s_axi_rready.eq(1),
        ]
        with m.State("write"):
            m.d.comb += [busy.eq(1), top.s_axi_awvalid.eq(~address_sent), top.s_axi_wvalid.eq(~data_sent)]
            with m.If(top.s_axi_awready):
                m.d.sync += address_sent.eq(1)
            with m.If(top.s_axi_wready):
                m.d.sync += data_sent.eq(1)
            with m.If(top.s_axi_bvalid):
                m.d.sync += [address_sent.eq(0), data_sent.eq(0), self._step.eq(self._step + 1)]
                with m.If(self._step == len(writes) - 1):
                    m.next = "ask"
        with m.State("ask"):
            m.d.comb += [busy.eq(1), top.s_axi_arvalid.eq(1)]
            with m.If(top.s_axi_arready):
                m.next = "look"
        with m.State("look"):
            m.d.comb += busy.eq(1)
            with m.If(top.s_axi_rvalid):
                m.next = "ask"
                with m.If(top.s_axi_rdata[2]):
                    m.d.sync += [self._fault.eq(1), self._runs.eq(self._runs + 1)]
                    m.next = "end"
                with m.Elif(top.s_axi_rdata[1]):
                    m.next = "peek"

    def _compare(self, m: Module, busy: Signal) -> None:
        """Three cycles a row: address, data, clear."""
        memory, frame = self.memory, self._frame
        plane, row, word_row = Signal(range(len(frame.planes) + 1)), Signal(range(frame.rows)), Signal(range(len(frame.masks[0])))
        first = Array(C(start, len(memory.peek_row)) for start in frame.planes)[plane]
        mask = Array(Array(C(bits, 64) for bits in masks)[word_row] for masks in frame.masks)[plane]
        last = row == frame.rows - 1
        counted = Signal(64)
        m.d.comb += [memory.peek_row.eq(first + row), counted.eq(memory.peek_data & mask)]
        with m.State("peek"):
            m.d.comb += [busy.eq(1), memory.peek.eq(1)]
            m.next = "take"
        with m.State("take"):
            m.d.comb += [busy.eq(1), memory.peek.eq(1), memory.wipe.eq(1)]
            m.d.sync += self._digest.eq(self._digest.rotate_left(1) ^ counted[:DIGEST_BITS] ^ counted[DIGEST_BITS:])
            m.d.sync += [
                row.eq(Mux(last, 0, row + 1)),
                word_row.eq(Mux(word_row == len(frame.masks[0]) - 1, 0, word_row + 1)),
                plane.eq(plane + last),
            ]
            m.next = "peek"
            with m.If(last & (plane == len(frame.planes) - 1)):
                m.next = "judge"
        with m.State("judge"):
            m.d.comb += busy.eq(1)
            m.d.sync += [plane.eq(0), self._runs.eq(self._runs + 1)]
            m.d.sync += [self._passed.eq(self._digest == frame.digest), self._wrong.eq(self._digest != frame.digest)]
            m.next = "end"

