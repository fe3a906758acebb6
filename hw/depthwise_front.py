# SPDX-License-Identifier: Apache-2.0
"""Takes a depthwise unit's instructions apart into one job for each of its stages."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from hw.layouts import instruction

#: What the stages of a unit know of an instruction: its own fields, its index, and kh * kw.
JOB = data.StructLayout(
    {**{name: field.shape for name, field in instruction(isa.Opcode.DEPTHWISE)}, "taps": unsigned(6)}
)
STAGES = ("taps", "offsets", "output")  #: those that wait for tokens


def multiplies(mode: Value) -> Value:
    """Whether a mode has parameters: MAC and ADD."""
    return mode[0] == mode[1]


class DepthwiseFront(wiring.Component):
    """Holds the next instruction until every stage that has work in it has taken it; each takes it at its own time.
    Parameters go first, even before the instruction's tokens are there.

    Two cycles from the instruction to the jobs; the next instruction is accepted once all stages have taken this one,
    so that offsets and parameters are fetched one instruction ahead. An instruction that this unit cannot execute
    (an empty region or kernel, more taps than a word or the weights' memory holds) pulses ``fault`` and is dropped.

    Parameters: ``config``.
    Members: ``instruction``, and ``ahead``: its payload is there, valid or not; ``taps``, ``offsets`` (only deformed
    ones), ``params`` (only MAC), ``output``: the jobs; ``fault`` and ``fault_index``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(unsigned(isa.INSTRUCTION_BITS))),
                "ahead": In(1),
                **{name: Out(stream.Signature(JOB)) for name in (*STAGES, "params")},
                "fault": Out(1),
                "fault_index": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = instruction(isa.Opcode.DEPTHWISE)
        fields = data.View(layout, self.instruction.payload[: layout.size])
        job = Signal(JOB, reset_less=True)
        fresh = Signal()  # loaded, its shape not yet checked
        pending = Signal(data.StructLayout({name: 1 for name in STAGES}))
        taps = Signal(6)
        bad = self._unsupported(job)
        m.d.comb += [
            taps.eq(Mux(fields.same & (fields.mode == isa.Mode.MAC), 1, fields.kh * fields.kw)),
            self.instruction.ready.eq(~fresh & ~pending.as_value().any() & self._params(m, fields, taps)),
            self.fault.eq(fresh & bad),
            self.fault_index.eq(job.index),
        ]
        m.d.sync += fresh.eq(self.instruction.valid & self.instruction.ready)
        with m.If(self.instruction.valid & self.instruction.ready):
            m.d.sync += [job[name].eq(fields[name]) for name, _ in layout]
            m.d.sync += job.taps.eq(taps)
        mac = job.mode == isa.Mode.MAC
        with m.If(fresh & ~bad):
            m.d.sync += [pending.taps.eq(1), pending.output.eq(1), job.w8.eq(job.w8 & mac)]
            m.d.sync += job.same.eq((job.same & mac) | (job.mode == isa.Mode.ADD))
            m.d.sync += pending.offsets.eq(job.deform != isa.Deform.NONE)
        for name in STAGES:
            jobs = getattr(self, name)
            m.d.comb += [jobs.valid.eq(pending[name]), jobs.payload.eq(job)]
            with m.If(jobs.valid & jobs.ready):
                m.d.sync += pending[name].eq(0)
        return m

    def _params(self, m: Module, fields: data.View, taps: Value) -> Value:
        """Offer the instruction shown to the parameter stage; the answer: it has it, takes it now, or need not."""
        params, taken = self.params, Signal()
        accepted = self.instruction.valid & self.instruction.ready
        m.d.comb += [params.payload[name].eq(fields[name]) for name in fields.shape().members]
        m.d.comb += [
            params.payload.taps.eq(taps),
            params.valid.eq((self.ahead | self.instruction.valid) & ~taken & multiplies(fields.mode)),
        ]
        m.d.sync += taken.eq((taken | (params.valid & params.ready)) & ~accepted)
        return taken | params.ready | ~multiplies(fields.mode)

    def _unsupported(self, job: data.View) -> Value:
        lanes, taps, deformed = self.config.lanes, job.taps, job.deform != isa.Deform.NONE
        empty = (job.kh == 0) | (job.kw == 0) | (job.rows == 0) | (job.cols == 0)
        pairs = (job.deform == isa.Deform.PAIRS) & (taps > lanes // 2)
        window = (job.mode == isa.Mode.WINDOW) & (taps > lanes // 3)
        same = job.same & (job.mode == isa.Mode.MAC)
        large = (job.kh | job.kw)[3:].any() & (~same | deformed)
        add = (job.mode == isa.Mode.ADD) & (((job.kh | job.kw) != 1) | deformed)
        return empty | pairs | window | large | add | (job.deform > isa.Deform.PAIRS)
