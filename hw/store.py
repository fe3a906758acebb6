# SPDX-License-Identifier: Apache-2.0
"""The store engine: scratchpad to DRAM."""

from __future__ import annotations

from amaranth import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Fault, Opcode
from codesign.program.registers import Counter
from hw.axi import BEAT_BYTES, DATA_BITS, Bursts
from hw.axi_write import WriteBeats
from hw.bursts import BurstSplitter
from hw.layouts import instruction
from hw.ports import EngineControl, ScratchpadRead
from hw.walker import Walker
from hw.write_window import WriteWindow

BUFFER = 8  #: words between scratchpad and write port
UNANSWERED = 8  #: instructions that may wait for their write responses


class Store(wiring.Component):
    """Copies rows of words from the scratchpad to DRAM, the bytes of each that ``lane_mask`` names.

    Throughput is one beat a cycle; the next instruction starts while the responses of earlier ones are
    outstanding, one with another mask only when the words before it have been sent. Faults: an empty transfer, an
    address beyond the scratchpad or outside the write window, an AXI error. It does not join contiguous rows.

    Parameters: ``config``. Members: ``control``, ``read`` (scratchpad), ``bursts`` and ``beats`` (write
    port), ``response``, ``response_last``, ``response_error`` (from the write port), ``base``, ``write_low`` and
    ``write_high`` (the window, see `hw.write_window`).
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "control": Out(EngineControl()),
                "read": Out(ScratchpadRead(config)),
                "bursts": Out(Bursts),
                "beats": Out(WriteBeats),
                "response": In(1),
                "response_last": In(1),
                "response_error": In(1),
                "base": In(32),
                "write_low": In(32),
                "write_high": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter()
        m.submodules.walker = walker = Walker()
        m.submodules.unanswered = unanswered = SyncFIFO(width=16, depth=UNANSWERED)
        m.submodules.words = words = SyncFIFO(width=8 * self._config.lanes, depth=BUFFER)
        control = self.control
        transfer = data.View(
            instruction(Opcode.STORE), control.instruction.payload[: instruction(Opcode.STORE).size]
        )
        empty, accept = Signal(), Signal()
        self._mask = Signal(self._config.lanes, reset_less=True)  # of the words between scratchpad and write port
        self._moving = Signal()
        same_mask = Signal()
        walk = walker.command.payload
        m.d.comb += [
            empty.eq((transfer.rows == 0) | (transfer.row_words == 0)),
            control.instruction.ready.eq(
                splitter.command.ready & walker.command.ready & unanswered.w_rdy & ~empty
                & (same_mask | ~self._moving)
            ),
            same_mask.eq(transfer.lane_mask[: self._config.lanes] == self._mask),
            accept.eq(control.instruction.valid & control.instruction.ready),
            splitter.command.valid.eq(accept),
            splitter.command.payload.address.eq(self.base + transfer.dram_addr),
            splitter.command.payload.stride.eq(transfer.dram_stride),
            splitter.command.payload.rows.eq(transfer.rows),
            splitter.command.payload.beats.eq(transfer.row_words * self._config.word_beats),
            walker.command.valid.eq(accept),
            walk.addr.eq(transfer.spad_addr),
            walk.stride.eq(transfer.spad_stride),
            walk.rows.eq(transfer.rows),
            walk.words.eq(transfer.row_words),
            walk.index.eq(transfer.index),
            unanswered.w_en.eq(accept),
            unanswered.w_data.eq(transfer.index),
            unanswered.r_en.eq(control.retire),
            control.retire.eq(self.response & self.response_last),
            control.retire_index.eq(unanswered.r_data),
        ]
        with m.If(accept):
            m.d.sync += self._mask.eq(transfer.lane_mask)
        sent = self._move(m, walker, words)
        self._report(m, walker, unanswered, sent)
        self._guard(m, splitter, accept, transfer.index)
        with m.If(control.instruction.valid & empty):
            m.d.comb += [
                control.fault.eq(1),
                control.fault_code.eq(Fault.UNSUPPORTED),
                control.fault_index.eq(transfer.index),
            ]
        return m

    def _guard(self, m: Module, splitter: BurstSplitter, accept: Signal, index: Value) -> None:
        """Bursts to the write port, those outside the window apart."""
        m.submodules.window = window = WriteWindow()
        cutting = Signal(16, reset_less=True)  # the instruction whose bursts are at hand
        wiring.connect(m, splitter.bursts, window.i)
        wiring.connect(m, window.o, wiring.flipped(self.bursts))
        m.d.comb += [window.base.eq(self.base), window.low.eq(self.write_low), window.high.eq(self.write_high)]
        with m.If(accept):
            m.d.sync += cutting.eq(index)
        with m.If(window.outside):
            m.d.comb += [
                self.control.fault.eq(1),
                self.control.fault_code.eq(Fault.ADDRESS),
                self.control.fault_index.eq(cutting),
            ]

    def _move(self, m: Module, walker: Walker, words: SyncFIFO) -> Signal:
        """Words from the scratchpad into the buffer, asked for only when there is room, and out as beats."""
        parts = self._config.word_beats
        room = Signal(range(BUFFER + 1), init=BUFFER)
        part = Signal(range(parts))
        asked, sent, popped = Signal(), Signal(), Signal()
        request = self.read.request
        m.d.comb += [
            request.valid.eq(walker.steps.valid & (room != 0)),
            request.payload.eq(walker.steps.payload.addr),
            walker.steps.ready.eq(request.ready & (room != 0)),
            asked.eq(request.valid & request.ready),
            words.w_en.eq(self.read.valid),
            words.w_data.eq(self.read.data),
            self.beats.valid.eq(words.r_rdy),
            self.beats.payload.data.eq(words.r_data.word_select(part, DATA_BITS)),
            self.beats.payload.strobe.eq(self._mask.word_select(part, BEAT_BYTES)),
            self._moving.eq(walker.steps.valid | (room != BUFFER)),
            sent.eq(self.beats.valid & self.beats.ready),
            popped.eq(sent & (part == parts - 1)),
            words.r_en.eq(popped),
        ]
        m.d.sync += room.eq(room - asked + popped)
        with m.If(sent):
            m.d.sync += part.eq(part + 1)
        with m.If(popped):
            m.d.sync += part.eq(0)
        return sent

    def _report(self, m: Module, walker: Walker, unanswered: SyncFIFO, sent: Signal) -> None:
        control, step = self.control, walker.steps.payload
        m.d.comb += control.activity.eq(Counter.IDLE)
        with m.If(self.response & self.response_error):
            m.d.comb += [
                control.fault.eq(1),
                control.fault_code.eq(Fault.WRITE),
                control.fault_index.eq(unanswered.r_data),
            ]
        with m.Elif(walker.steps.valid & (step.addr >= self._config.spad_words)):
            m.d.comb += [
                control.fault.eq(1),
                control.fault_code.eq(Fault.ADDRESS),
                control.fault_index.eq(step.index),
            ]
        with m.If(sent):
            m.d.comb += control.activity.eq(Counter.BUSY)
        with m.Elif(walker.steps.valid | self.beats.valid):
            m.d.comb += control.activity.eq(Counter.MEMORY)
        with m.Elif(unanswered.r_rdy):
            m.d.comb += control.activity.eq(Counter.DRAIN)
