# SPDX-License-Identifier: Apache-2.0
"""A depthwise unit: gathers taps of a plane, deformed or not, and turns each pixel's into one word."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out, connect, flipped

from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Fault
from codesign.program.registers import Counter
from hw.depthwise_front import JOB, DepthwiseFront
from hw.depthwise_lanes import SUM_BITS, DepthwiseLanes
from hw.depthwise_params import DepthwiseParams, requant_answer, requant_row
from hw.depthwise_word import ResultWord
from hw.gather import Gather
from hw.ports import EngineControl, ParamStream, ScratchpadRead, ScratchpadWrite
from hw.requantise import Requantiser
from hw.walker import Walker

WORDS_WAITING = 16  #: results on their way through the lanes or waiting for the scratchpad


class Serialiser(wiring.Component):
    """Requantises a pixel's sums, ``depthwise_requant`` lanes a cycle.

    A pixel every ``lanes / depthwise_requant`` cycles, and no more often; the first codes `LATENCY` cycles after
    ``start``.

    With ``adds`` a ``start`` brings one addend's word for one row of lanes: first and second addend of the lanes from 0 on,
    then of the next ones, so that a pixel takes twice as long. The first is multiplied by the multipliers of row 0, the
    second by those of row 1, and both are added to the biases of row 0; ``last`` comes with the last one.

    Parameters: ``config``.
    Members: ``start`` with ``half``, ``final``, ``adds`` and ``last``; ``sums``, from the next cycle on; ``row``, and what
    `DepthwiseParams` answers; ``move`` with ``codes``, and one cycle after the last of a pixel ``done``, with
    ``release`` when it is an instruction's last.
    """

    LATENCY = 2 + Requantiser.LATENCY

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "sums": In(data.ArrayLayout(signed(SUM_BITS), config.lanes)),
                "half": In(1),
                "final": In(1),
                "adds": In(1),
                "last": In(1),
                "row": Out(requant_row(config)),
                **{name: In(layout) for name, layout in requant_answer(config).items()},
                "move": Out(1),
                "codes": Out(8 * config.depthwise_requant),
                "done": Out(1),
                "release": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, count = self.config.lanes, self.config.depthwise_requant
        group = Signal(range(lanes // count), reset_less=True)
        addend = Signal(range(2 * lanes // count))  # of an ADD pixel, the next one
        active, final, ends = Signal(), Signal(reset_less=True), Signal()
        adds, second, whole = (Signal(name=name, reset_less=True) for name in ("adds", "second", "whole"))
        m.d.comb += ends.eq(active & (adds | (group == lanes // count - 1)))
        with m.If(active):
            m.d.sync += [group.eq(group + 1), self.row.group.eq(self.row.group + 1), active.eq(~ends)]
        with m.If(self.start):
            m.d.sync += [
                final.eq(self.final),
                active.eq(1),
                adds.eq(self.adds),
                second.eq(self.adds & addend[0]),
                whole.eq(~self.adds | self.last),
                addend.eq(addend + self.adds),
                group.eq(Mux(self.adds, addend[1:], 0)),
                self.row.group.eq(self.adds & addend[0]),
                self.row.half.eq(self.half),
            ]

        some = Signal(data.ArrayLayout(signed(SUM_BITS), count), reset_less=True)
        m.d.sync += some.as_value().eq(self.sums.as_value().word_select(group, count * SUM_BITS))
        add, keep = second, ~active
        for _ in range(1 + Requantiser.BIAS_AT):
            add, keep = self._late(m, add), self._late(m, keep)
        m.d.comb += self.codes.eq(Cat(self._lane(m, i, some[i], add, keep) for i in range(count)))
        moves, done = active & (~adds | second), ends & whole
        release = done & final
        for _ in range(self.LATENCY - 1):
            moves, done, release = (self._late(m, value) for value in (moves, done, release))
        m.d.comb += self.move.eq(moves)
        m.d.sync += [self.done.eq(done), self.release.eq(release)]
        return m

    def _late(self, m: Module, value: Signal) -> Signal:
        later = Signal()
        m.d.sync += later.eq(value)
        return later

    def _lane(self, m: Module, i: int, acc: data.View, add: Value, keep: Value) -> Signal:
        m.submodules[f"lane{i}"] = lane = Requantiser(SUM_BITS, skewed=True, sums=True)
        m.d.comb += [
            lane.acc.eq(acc),
            lane.add.eq(add),
            lane.hold.eq(keep),
            lane.multiplier.eq(self.multiplier[i]),
            lane.bias.eq(self.bias[i]),
            lane.shift.eq(self.shift[i]),
            lane.zero.eq(self.range.zero),
            lane.lo.eq(self.range.lo),
            lane.hi.eq(self.range.hi),
        ]
        return lane.code


class WordWriter(wiring.Component):
    """Writes an instruction's words to its region in raster order, and retires it.

    One word a cycle, two cycles from the word to the request. ``room`` counts places from ``reserve`` to the queue's
    end, so that a word once computed never waits outside.

    Parameters: ``config``.
    Members: ``jobs``; ``room``, ``reserve``; ``put`` with ``word``; ``write``; ``retire`` and ``retire_index``;
    ``busy``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "jobs": In(stream.Signature(JOB)),
                "room": Out(1),
                "reserve": In(1),
                "put": In(1),
                "word": In(unsigned(8 * config.lanes)),
                "write": Out(ScratchpadWrite(config)),
                "retire": Out(1),
                "retire_index": Out(16),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walker = walker = Walker()
        m.submodules.queue = queue = SyncFIFO(width=8 * self.config.lanes, depth=WORDS_WAITING)
        job, walk, step = self.jobs.payload, walker.command, walker.steps
        request = self.write.request
        move, reserved = Signal(), Signal(range(WORDS_WAITING + 1))
        last, index = Signal(), Signal(16, reset_less=True)
        m.d.comb += [
            walk.valid.eq(self.jobs.valid),
            self.jobs.ready.eq(walk.ready),
            walk.payload.addr.eq(job.dst),
            walk.payload.stride.eq(job.dst_pitch),
            walk.payload.rows.eq(job.rows),
            walk.payload.words.eq(job.cols),
            walk.payload.index.eq(job.index),
            self.room.eq(reserved != WORDS_WAITING),
            queue.w_data.eq(self.word),
            queue.w_en.eq(self.put),
            move.eq(queue.r_rdy & step.valid & (~request.valid | request.ready)),
            queue.r_en.eq(move),
            step.ready.eq(move),
            request.payload.mask.eq(~0),
            self.busy.eq(step.valid | request.valid),
        ]
        m.d.sync += reserved.eq(reserved + self.reserve - move)
        with m.If(move):
            m.d.sync += [request.payload.data.eq(queue.r_data), request.payload.addr.eq(step.payload.addr)]
            m.d.sync += [last.eq(step.payload.last), index.eq(step.payload.index), request.valid.eq(1)]
        with m.Elif(request.ready):
            m.d.sync += request.valid.eq(0)
        m.d.sync += [self.retire.eq(request.valid & request.ready & last), self.retire_index.eq(index)]
        return m


class Depthwise(wiring.Component):
    """Executes `Opcode.DEPTHWISE` instructions as docs/architecture.md states them, in order.

    One tap a cycle (two with 8-bit weights), one cycle more a pixel when deformed, at least
    ``lanes / depthwise_requant`` cycles a MAC pixel, twice as many an ADD pixel; three cycles between instructions whose
    offsets and parameters have been fetched meanwhile. About 35 cycles from a MAC pixel's first tap to its word.

    Left out: a check of scratchpad addresses (the scratchpad does it), and of ``param_beats``, which must be the mode's
    and shape's number.

    Parameters: ``config``.
    Members: ``control``, ``params``, ``read``, ``write``, as in `hw.ports`; ``ahead``: ``control.instruction`` shows
    an instruction whose parameters may be loaded, even though it is not valid while tokens are missing.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "control": Out(EngineControl()),
                "ahead": In(1),
                "params": In(ParamStream),
                "read": Out(ScratchpadRead(config)),
                "write": Out(ScratchpadWrite(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.front = front = DepthwiseFront(self.config)
        m.submodules.gather = gather = Gather(self.config)
        m.submodules.params = params = DepthwiseParams(self.config)
        m.submodules.lanes = lanes = DepthwiseLanes(self.config)
        m.submodules.serialiser = serialiser = Serialiser(self.config)
        m.submodules.result = word = ResultWord(self.config)
        m.submodules.writer = writer = WordWriter(self.config)
        connect(m, flipped(self.control.instruction), front.instruction)
        m.d.comb += front.ahead.eq(self.ahead)
        connect(m, front.taps, gather.jobs)
        connect(m, front.offsets, gather.offset_jobs)
        connect(m, front.params, params.jobs)
        connect(m, front.output, writer.jobs)
        connect(m, flipped(self.params), params.beats)
        connect(m, gather.taps, lanes.taps)
        connect(m, gather.read, flipped(self.read))
        connect(m, writer.write, flipped(self.write))
        self._parameters(m, gather, params, lanes, serialiser)
        m.d.comb += [
            serialiser.start.eq(lanes.sums_done),
            serialiser.sums.eq(lanes.sums),
            serialiser.half.eq(lanes.sums_half),
            serialiser.final.eq(lanes.sums_final),
            serialiser.adds.eq(lanes.sums_adds),
            serialiser.last.eq(lanes.sums_last),
            lanes.finished.eq(serialiser.done),
            lanes.room.eq(writer.room),
            writer.reserve.eq(lanes.reserve),
            word.move.eq(serialiser.move),
            word.codes.eq(serialiser.codes),
            word.pick.eq(lanes.pick),
            word.step.eq(lanes.picked_step),
            word.taken.eq(lanes.picked_word),
            writer.put.eq(serialiser.done | word.picked_done),
            writer.word.eq(word.word),
        ]
        self._report(m, front, gather, lanes, writer)
        return m

    def _parameters(
        self,
        m: Module,
        gather: Gather,
        params: DepthwiseParams,
        lanes: DepthwiseLanes,
        serialiser: Serialiser,
    ) -> None:
        m.d.comb += [
            gather.loaded.eq(params.loaded),
            params.started.eq(gather.started),
            params.release.eq(serialiser.release),
            params.weight_row.eq(lanes.weight_row),
            lanes.weights.eq(params.weights),
            params.requant_row.eq(serialiser.row),
        ]
        for name in requant_answer(self.config):
            m.d.comb += getattr(serialiser, name).eq(getattr(params, name))

    def _report(
        self, m: Module, front: DepthwiseFront, gather: Gather, lanes: DepthwiseLanes, writer: WordWriter
    ) -> None:
        control = self.control
        m.d.comb += [
            control.retire.eq(writer.retire),
            control.retire_index.eq(writer.retire_index),
            control.fault.eq(front.fault),
            control.fault_code.eq(Fault.UNSUPPORTED),
            control.fault_index.eq(front.fault_index),
        ]
        with m.If(lanes.step):
            m.d.comb += control.activity.eq(Counter.BUSY)
        with m.Elif(gather.starved):
            m.d.comb += control.activity.eq(Counter.PARAM)
        with m.Elif(gather.busy | lanes.taps.valid):
            m.d.comb += control.activity.eq(Counter.MEMORY)
        with m.Elif(writer.busy):
            m.d.comb += control.activity.eq(Counter.DRAIN)
        with m.Else():
            m.d.comb += control.activity.eq(Counter.IDLE)
