# SPDX-License-Identifier: Apache-2.0
"""The instruction queue of one engine."""

from __future__ import annotations

from amaranth import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from codesign.program import isa


class InstructionQueue(wiring.Component):
    """First in, first out; only the low ``width`` bits of an instruction are kept, the others read as 0.

    Latency one cycle; one instruction a cycle. Proven in `tests/formal`.

    Parameters: ``width`` (bits the engine's opcode uses), ``depth``. Members: ``i``, ``o``, ``level``
    (instructions held).
    """

    def __init__(self, width: int, depth: int):
        if not 0 < width <= isa.INSTRUCTION_BITS:
            raise ValueError(f"width = {width}: must be 1..{isa.INSTRUCTION_BITS}")
        self._width = width
        self._depth = depth
        signature = stream.Signature(unsigned(isa.INSTRUCTION_BITS))
        super().__init__({"i": In(signature), "o": Out(signature), "level": Out(range(depth + 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = SyncFIFO(width=self._width, depth=self._depth)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
            self.level.eq(fifo.level),
        ]
        return m
