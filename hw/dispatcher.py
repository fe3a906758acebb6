# SPDX-License-Identifier: Apache-2.0
"""Reads the program and hands its instructions to the engines."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Engine, Fault, Opcode
from hw.axi import DATA_BITS, MAX_BEATS, Beats, Bursts
from hw.bursts import BurstSplitter
from hw.layouts import HEADER

BUFFER = 4 * MAX_BEATS  #: program beats read ahead

#: For the parameter fetcher: ``beats`` beats from byte ``address`` (relative to BASE) for ``engine``.
ParamRequest = data.StructLayout({"address": 32, "beats": 16, "engine": 4, "index": 16})


class Dispatcher(wiring.Component):
    """Reads the program in bursts, numbers the instructions, checks opcode and engine and appends them to the
    queues.

    One instruction in about ten cycles once the program arrives; it reads ahead only what its buffer can
    hold, so it never blocks the read port. Faults: an unknown opcode or engine, the end of the program
    without HALT, parameters for an engine that takes none, an AXI error.

    Parameters: ``config``. Members: ``start`` (pulse), ``program`` (byte address), ``count``, ``base``,
    ``stop``, ``bursts`` and ``beats`` (read port), ``instruction`` (payload for all queues), ``valid`` and
    ``ready`` (a bit per engine), ``params`` (requests to the fetcher), ``index`` (number of the instruction
    looked at), ``halted``, ``fault``, ``fault_code``, ``fault_engine``.
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        engines = len(config.engines)
        super().__init__(
            {
                "start": In(1),
                "program": In(32),
                "count": In(16),
                "base": In(32),
                "stop": In(1),
                "bursts": Out(Bursts),
                "beats": In(Beats),
                "instruction": Out(unsigned(isa.INSTRUCTION_BITS)),
                "valid": Out(engines),
                "ready": In(engines),
                "params": Out(stream.Signature(ParamRequest)),
                "index": Out(16),
                "halted": Out(1),
                "fault": Out(1),
                "fault_code": Out(4),
                "fault_engine": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter()
        m.submodules.buffer = buffer = SyncFIFOBuffered(width=DATA_BITS + 1, depth=BUFFER)
        self._request(m, splitter, buffer)
        raw, full = Signal(isa.INSTRUCTION_BITS, reset_less=True), Signal()
        count, broken, running = Signal(range(isa.INSTRUCTION_BEATS)), Signal(), Signal()
        pop, done = Signal(), Signal()
        m.d.comb += [pop.eq(buffer.r_rdy & (~full | done)), buffer.r_en.eq(pop)]
        with m.If(done):
            m.d.sync += [full.eq(0), self.index.eq(self.index + 1)]
        with m.If(pop):
            m.d.sync += [raw.eq(Cat(raw[DATA_BITS:], buffer.r_data[:DATA_BITS])), count.eq(count + 1)]
            m.d.sync += broken.eq(broken | buffer.r_data[DATA_BITS])
            with m.If(count == isa.INSTRUCTION_BEATS - 1):
                m.d.sync += full.eq(1)
        with m.If(self.start):
            m.d.sync += running.eq(1)
        finished = Signal()
        m.d.comb += finished.eq(running & ~self.halted & (self.index == self.count))
        self._check(m, raw, full & running & ~self.halted & ~finished, broken, done)
        with m.If(finished):
            m.d.comb += [self.fault.eq(1), self.fault_code.eq(Fault.OPCODE), self.fault_engine.eq(0)]
        return m

    def _request(self, m: Module, splitter: BurstSplitter, buffer: SyncFIFOBuffered) -> None:
        """Bursts over the whole program, each only when the buffer has room for it."""
        room = Signal(range(BUFFER + 1), init=BUFFER)
        allowed, command = Signal(), splitter.command.payload
        asked = Signal(range(MAX_BEATS + 1))
        m.d.comb += [
            splitter.command.valid.eq(self.start & (self.count != 0)),
            command.address.eq(self.base + self.program),
            command.rows.eq(1),
            command.beats.eq(self.count * isa.INSTRUCTION_BEATS),
            allowed.eq((room >= MAX_BEATS) & ~self.halted),
            self.bursts.payload.eq(splitter.bursts.payload),
            self.bursts.valid.eq(splitter.bursts.valid & allowed),
            splitter.bursts.ready.eq(self.bursts.ready & allowed),
            self.beats.ready.eq(1),
            buffer.w_en.eq(self.beats.valid),
            buffer.w_data.eq(Cat(self.beats.payload.data, self.beats.payload.error)),
        ]
        with m.If(self.bursts.valid & self.bursts.ready):
            m.d.comb += asked.eq(self.bursts.payload.len + 1)
        m.d.sync += room.eq(room - asked + (buffer.r_rdy & buffer.r_en))

    def _check(self, m: Module, raw: Signal, present: Signal, broken: Signal, done: Signal) -> None:
        """Decide what becomes of the instruction in ``raw``."""
        header = data.View(HEADER, raw[: HEADER.size])
        engines = len(self._config.engines)
        units = self._config.depthwise_units
        known, wants_params, queue_ready = Signal(), Signal(), Signal()
        with m.Switch(header.opcode):
            for opcode, engine in ((Opcode.LOAD, 0), (Opcode.STORE, 1), (Opcode.POINTWISE, 2)):
                with m.Case(opcode):
                    m.d.comb += known.eq(header.engine == engine)
            with m.Case(Opcode.DEPTHWISE):
                m.d.comb += known.eq(
                    (header.engine >= Engine.DEPTHWISE) & (header.engine < Engine.DEPTHWISE + units)
                )
            with m.Case(Opcode.HALT):
                m.d.comb += known.eq(1)
        params = self.params.payload
        m.d.comb += [
            self.instruction.eq(Cat(raw[:8], self.index, raw[24:])),
            wants_params.eq(header.param_beats != 0),
            queue_ready.eq(self.ready.bit_select(header.engine, 1)),
            params.address.eq(header.param_addr),
            params.beats.eq(header.param_beats),
            params.engine.eq(header.engine),
            params.index.eq(self.index),
            self.fault_engine.eq(header.engine),
        ]
        with m.If(present & ~self.stop):
            with m.If(broken):
                m.d.comb += [self.fault.eq(1), self.fault_code.eq(Fault.READ), self.fault_engine.eq(0)]
            with m.Elif(~known):
                m.d.comb += [self.fault.eq(1), self.fault_code.eq(Fault.OPCODE)]
            with m.Elif(header.opcode == Opcode.HALT):
                m.d.sync += self.halted.eq(1)
            with m.Elif(wants_params & (header.engine < Engine.POINTWISE)):
                m.d.comb += [self.fault.eq(1), self.fault_code.eq(Fault.UNSUPPORTED)]
            with m.Else():
                m.d.comb += self.params.valid.eq(wants_params & queue_ready)
                m.d.comb += done.eq(queue_ready & (self.params.ready | ~wants_params))
                for engine in range(engines):
                    m.d.comb += self.valid[engine].eq(done & (header.engine == engine))
