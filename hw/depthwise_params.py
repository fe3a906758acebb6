# SPDX-License-Identifier: Apache-2.0
"""Loads a depthwise unit's parameters into ping-pong buffers and serves them."""

from __future__ import annotations

from amaranth import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from codesign.numeric import BIAS_BITS, MULTIPLIER_BITS, OPERAND_BITS, SHIFT_BITS
from codesign.program.config import AcceleratorConfig
from hw.depthwise_front import JOB
from hw.ports import ParamStream
from hw.requantise import Requantiser

#: Address of a row of tap weights: the 4-bit weights, or the low or high half of the 8-bit ones.
WEIGHT_ROW = data.StructLayout({"tap": 6, "high": 1, "half": 1})
#: What a job's results are offset with and clamped to.
RANGE = data.StructLayout({"zero": signed(8), "lo": signed(8), "hi": signed(8)})
SHIFT_AT_BIT = 16  # of a channel's first beat; its multiplier is at bit 0
_FIELDS = {"multiplier": MULTIPLIER_BITS, "bias": BIAS_BITS, "shift": SHIFT_BITS}
_DELAY = {"multiplier": 0, "bias": Requantiser.BIAS_AT, "shift": Requantiser.SHIFT_AT}
GROUP = 8  # lanes whose weights are written together: one beat of 8-bit weights


def requant_row(config: AcceleratorConfig) -> data.StructLayout:
    """Address of the parameters of ``depthwise_requant`` lanes."""
    groups = config.lanes // config.depthwise_requant
    return data.StructLayout({"group": range(groups), "half": 1})


def requant_answer(config: AcceleratorConfig) -> dict[str, data.Layout]:
    """The parameters of one row's lanes, and the range of their job's results."""
    count = config.depthwise_requant
    return {
        "multiplier": data.ArrayLayout(MULTIPLIER_BITS, count),
        "bias": data.ArrayLayout(signed(BIAS_BITS), count),
        "shift": data.ArrayLayout(SHIFT_BITS, count),
        "range": RANGE,
    }


class DepthwiseParams(wiring.Component):
    """Two buffers of parameters: one is loaded while the unit computes with the other.

    A beat a cycle, two cycles for a beat of 8-bit weights. Weights come one cycle after their row's address, kept
    until the next; requantisation parameters are skewed as `Requantiser(skewed=True)` wants them: the multipliers
    one cycle after the row, bias, shift and range later. A MAC job without its parameters' beats waits for ever.

    Parameters: ``config``.
    Members: ``jobs`` (MAC only), ``beats``; ``loaded``: a job not yet started has its parameters, ``started`` takes
    it, ``release`` (pulse) frees the buffer of the oldest job; ``weight_row``, ``weights``; ``requant_row``,
    ``multiplier``, ``bias``, ``shift`` (arrays of ``depthwise_requant``), ``range``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "jobs": In(stream.Signature(JOB)),
                "beats": In(ParamStream),
                "loaded": Out(1),
                "started": In(1),
                "release": In(1),
                "weight_row": In(WEIGHT_ROW),
                "weights": Out(data.ArrayLayout(OPERAND_BITS, config.lanes)),
                "requant_row": In(requant_row(config)),
                **{name: Out(layout) for name, layout in requant_answer(config).items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._loading, self._weights_next = Signal(), Signal()
        self._half = Signal()  # being written; the first job's is 1, as in `TapWalker`
        self._job = Signal(JOB, reset_less=True)
        self._ranges = Array(Signal(RANGE, name=f"range{half}", reset_less=True) for half in range(2))
        done = Signal()
        ready, held = Signal(range(3)), Signal(range(3))  # buffers loaded and not started; buffers not free
        take = self.jobs.valid & self.jobs.ready
        m.d.comb += [self.jobs.ready.eq(~self._loading & (held != 2)), self.loaded.eq(ready != 0)]
        m.d.sync += [ready.eq(ready + done - self.started), held.eq(held + take - self.release)]
        with m.If(take):
            job = self.jobs.payload
            m.d.sync += [self._loading.eq(1), self._half.eq(~self._half), self._job.eq(job)]
            m.d.sync += [
                self._ranges[~self._half].zero.eq(job.z_out),
                self._ranges[~self._half].lo.eq(job.lo),
                self._ranges[~self._half].hi.eq(job.hi),
            ]
        with m.If(done):
            m.d.sync += self._loading.eq(0)
        requant_ready = self._requantisation(m)
        weights_ready = self._weights(m, done)
        m.d.comb += self.beats.ready.eq(self._loading & Mux(self._weights_next, weights_ready, requant_ready))
        return m

    def _requantisation(self, m: Module) -> Value:
        """Two beats a channel, first multiplier and shift, then bias: written together into three memories."""
        config, count = self.config, self.config.depthwise_requant
        lane, second = Signal(range(config.lanes)), Signal()
        first = Signal(SHIFT_AT_BIT + SHIFT_BITS, reset_less=True)
        here = self._loading & ~self._weights_next & self.beats.valid
        with m.If(here):
            m.d.sync += [second.eq(~second), lane.eq(lane + second)]
            with m.If(~second):
                m.d.sync += first.eq(self.beats.payload[: len(first)])
            with m.If(second & (lane == config.lanes - 1)):
                m.d.sync += self._weights_next.eq(1)
        part_bits = count.bit_length() - 1
        values = {
            "multiplier": first[:MULTIPLIER_BITS],
            "bias": self.beats.payload,
            "shift": first[SHIFT_AT_BIT:],
        }
        row = self.requant_row
        for name, width in _FIELDS.items():
            memory = Memory(shape=data.ArrayLayout(width, count), depth=2 * config.lanes // count, init=[])
            m.submodules[name] = memory
            write, read = memory.write_port(granularity=1), memory.read_port()
            m.d.comb += [
                write.addr.eq(Cat(lane[part_bits:], self._half)),
                write.en.eq(Mux(here & second, 1 << lane[:part_bits], 0)),
                *(write.data[i].eq(values[name]) for i in range(count)),
                read.addr.eq(self._late(m, row, _DELAY[name])),
                getattr(self, name).eq(read.data),
            ]
        half = self._late(m, row, 1 + Requantiser.OFFSET_AT).half
        m.d.comb += self.range.eq(self._ranges[half])
        return 1

    def _late(self, m: Module, row: data.View, cycles: int) -> data.View:
        for _ in range(cycles):
            later = Signal(row.shape(), reset_less=True)
            m.d.sync += later.eq(row)
            row = later
        return row

    def _weights(self, m: Module, done: Signal) -> Value:
        """Sixteen 4-bit weights of a beat go to two groups of lanes; eight 8-bit ones to one, high halves first."""
        job, groups = self._job, self.config.lanes // GROUP
        group, tap, low = Signal(range(groups)), Signal(6), Signal()
        here = self._loading & self._weights_next & self.beats.valid
        written = here & (low | ~job.w8)
        ends = Mux(job.w8, group == groups - 1, group == groups - 2)
        with m.If(here):
            m.d.sync += low.eq(job.w8 & ~low)
        with m.If(written):
            m.d.sync += group.eq(Mux(ends, 0, group + Mux(job.w8, 1, 2)))
            with m.If(ends):
                m.d.sync += tap.eq(tap + 1)
        m.d.comb += done.eq(written & ends & (tap == job.taps - 1))
        with m.If(done):
            m.d.sync += [self._weights_next.eq(0), tap.eq(0)]
        lanes = data.ArrayLayout(OPERAND_BITS, GROUP)
        memory = Memory(shape=data.ArrayLayout(lanes, groups), depth=1 << WEIGHT_ROW.size, init=[])
        m.submodules.weight_memory = memory
        write, read = memory.write_port(granularity=1), memory.read_port()
        m.d.comb += [
            write.addr.eq(Cat(tap, job.w8 & ~low, self._half)),
            write.en.eq(Mux(here, Mux(job.w8, 1 << group, 3 << group), 0)),
            *(write.data[g][i].eq(self._operand(g, i, low)) for g in range(groups) for i in range(GROUP)),
            read.addr.eq(self.weight_row),
            self.weights.eq(read.data),
        ]
        return low | ~job.w8

    def _operand(self, group: int, lane: int, low: Value) -> Value:
        """One lane's weight in the beat at hand as carry and nibble (see `hw.booth`): 4 bits, or half of 8 bits."""
        beat = self.beats.payload
        nibble = Cat(0, beat.word_select(lane + GROUP * (group % 2), 4))
        byte = beat.word_select(lane, 8)
        return Mux(self._job.w8, Mux(low, Cat(0, byte[:4]), Cat(byte[3], byte[4:])), nibble)
