# SPDX-License-Identifier: Apache-2.0
"""The load engine: DRAM to scratchpad."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Fault, Opcode
from codesign.program.registers import Counter
from hw.axi import DATA_BITS, Beats, Bursts
from hw.bursts import BurstSplitter
from hw.layouts import instruction
from hw.ports import EngineControl, ScratchpadWrite
from hw.walker import Walk, Walker

AHEAD = 3  #: instructions whose bursts may be requested before the data of the running one are in


class Load(wiring.Component):
    """Copies rows of words from DRAM to the scratchpad.

    Throughput is one beat a cycle; an accepted instruction requests its bursts at once, while the data of up
    to three earlier ones still arrive. Faults: an empty transfer, an address beyond the scratchpad, an AXI
    error. It does not join contiguous rows into longer bursts.

    Parameters: ``config``. Members: ``control``, ``write`` (scratchpad), ``bursts`` and ``beats`` (read
    port), ``base`` (byte address added to every ``dram_addr``).
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "control": Out(EngineControl()),
                "write": Out(ScratchpadWrite(config)),
                "bursts": Out(Bursts),
                "beats": In(Beats),
                "base": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter()
        m.submodules.walker = walker = Walker()
        m.submodules.ahead = ahead = SyncFIFO(width=Walk.size, depth=AHEAD)
        control = self.control
        transfer = data.View(
            instruction(Opcode.LOAD), control.instruction.payload[: instruction(Opcode.LOAD).size]
        )
        empty, accept = Signal(), Signal()
        walk = data.View(Walk, ahead.w_data)
        m.d.comb += [
            empty.eq((transfer.rows == 0) | (transfer.row_words == 0)),
            control.instruction.ready.eq(splitter.command.ready & ahead.w_rdy & ~empty),
            accept.eq(control.instruction.valid & control.instruction.ready),
            splitter.command.valid.eq(accept),
            splitter.command.payload.address.eq(self.base + transfer.dram_addr),
            splitter.command.payload.stride.eq(transfer.dram_stride),
            splitter.command.payload.rows.eq(transfer.rows),
            splitter.command.payload.beats.eq(transfer.row_words * self._config.word_beats),
            ahead.w_en.eq(accept),
            walk.addr.eq(transfer.spad_addr),
            walk.stride.eq(transfer.spad_stride),
            walk.rows.eq(transfer.rows),
            walk.words.eq(transfer.row_words),
            walk.index.eq(transfer.index),
            walker.command.payload.eq(ahead.r_data),
            walker.command.valid.eq(ahead.r_rdy),
            ahead.r_en.eq(walker.command.ready),
        ]
        wiring.connect(m, splitter.bursts, wiring.flipped(self.bursts))
        self._assemble(m, walker)
        with m.If(control.instruction.valid & empty):
            m.d.comb += [
                control.fault.eq(1),
                control.fault_code.eq(Fault.UNSUPPORTED),
                control.fault_index.eq(transfer.index),
            ]
        return m

    def _assemble(self, m: Module, walker: Walker) -> None:
        """Beats to words, words to the scratchpad, and what the control block is told about it."""
        beats, step, request = self.beats, walker.steps.payload, self.write.request
        parts = self._config.word_beats
        count = Signal(range(parts))
        early = Signal(DATA_BITS * (parts - 1), reset_less=True)
        word, full = Signal(DATA_BITS * parts, reset_less=True), Signal()
        taken, complete, written, out_of_range = (Signal() for _ in range(4))
        arriving = Signal(16)  # instruction of the beat: behind a last word still held, the next one
        m.d.comb += [
            written.eq(request.valid & request.ready),
            beats.ready.eq((count != parts - 1) | ~full),  # a word's other beats give it time to be written
            taken.eq(beats.valid & beats.ready),
            complete.eq(taken & (count == parts - 1)),
            request.valid.eq(full & walker.steps.valid),
            request.payload.addr.eq(step.addr),
            request.payload.data.eq(word),
            request.payload.mask.eq(-1),
            walker.steps.ready.eq(full & request.ready),
            out_of_range.eq(request.valid & (step.addr >= self._config.spad_words)),
            arriving.eq(Mux(full & step.last, walker.command.payload.index, step.index)),
            self.control.activity.eq(Counter.IDLE),
        ]
        m.d.sync += [self.control.retire.eq(written & step.last), self.control.retire_index.eq(step.index)]
        with m.If(written):
            m.d.sync += full.eq(0)
        with m.If(taken):
            m.d.sync += [early.eq(Cat(early, beats.payload.data)[DATA_BITS:]), count.eq(count + 1)]
        with m.If(complete):
            m.d.sync += [word.eq(Cat(early, beats.payload.data)), full.eq(1), count.eq(0)]
        with m.If(taken & beats.payload.error):
            m.d.comb += [self.control.fault.eq(1), self.control.fault_code.eq(Fault.READ)]
            m.d.comb += self.control.fault_index.eq(arriving)
        with m.Elif(out_of_range):
            m.d.comb += [self.control.fault.eq(1), self.control.fault_code.eq(Fault.ADDRESS)]
            m.d.comb += self.control.fault_index.eq(step.index)
        with m.If(taken):
            m.d.comb += self.control.activity.eq(Counter.BUSY)
        with m.Elif(full):
            m.d.comb += self.control.activity.eq(Counter.DRAIN)
        with m.Elif(walker.steps.valid | walker.command.valid):
            m.d.comb += self.control.activity.eq(Counter.MEMORY)
