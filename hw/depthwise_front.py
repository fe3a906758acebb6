# SPDX-License-Identifier: Apache-2.0
"""Takes a depthwise unit's instructions apart into one job for each of its stages."""

from __future__ import annotations

from amaranth import Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from hw.layouts import instruction

#: What the stages of a unit know of an instruction: its own fields, its index, and kh * kw.
JOB = data.StructLayout(
    {**{name: field.shape for name, field in instruction(isa.Opcode.DEPTHWISE)}, "taps": unsigned(6)}
)
STAGES = ("taps", "offsets", "params", "output")


class DepthwiseFront(wiring.Component):
    """Holds the next instruction until every stage that has work in it has taken it; each takes it at its own time.

    Two cycles from the instruction to the jobs; the next instruction is accepted once all stages have taken this one,
    so that offsets and parameters are fetched one instruction ahead. An instruction that this unit cannot execute
    (mode ADD, an empty region or kernel, more taps than a word holds) pulses ``fault`` and is dropped.

    Parameters: ``config``.
    Members: ``instruction``; ``taps``, ``offsets`` (only deformed ones), ``params`` (only MAC), ``output``: the jobs;
    ``fault`` and ``fault_index``.
    """

    def __init__(self, config: AcceleratorConfig):
        self.config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(unsigned(isa.INSTRUCTION_BITS))),
                **{name: Out(stream.Signature(JOB)) for name in STAGES},
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
        bad = self._unsupported(job, taps)
        m.d.comb += [
            taps.eq(job.kh * job.kw),
            self.instruction.ready.eq(~fresh & ~pending.as_value().any()),
            self.fault.eq(fresh & bad),
            self.fault_index.eq(job.index),
        ]
        m.d.sync += fresh.eq(self.instruction.valid & self.instruction.ready)
        with m.If(self.instruction.valid & self.instruction.ready):
            m.d.sync += [job[name].eq(fields[name]) for name, _ in layout]
        mac = job.mode == isa.Mode.MAC
        with m.If(fresh & ~bad):
            m.d.sync += [pending.taps.eq(1), pending.output.eq(1), job.taps.eq(taps)]
            m.d.sync += [pending.offsets.eq(job.deform != isa.Deform.NONE), pending.params.eq(mac)]
            m.d.sync += job.w8.eq(job.w8 & mac)
        for name in STAGES:
            jobs = getattr(self, name)
            m.d.comb += [jobs.valid.eq(pending[name]), jobs.payload.eq(job)]
            with m.If(jobs.valid & jobs.ready):
                m.d.sync += pending[name].eq(0)
        return m

    def _unsupported(self, job: data.View, taps: Value) -> Value:
        lanes = self.config.lanes
        empty = (job.kh == 0) | (job.kw == 0) | (job.rows == 0) | (job.cols == 0)
        pairs = (job.deform == isa.Deform.PAIRS) & (taps > lanes // 2)
        window = (job.mode == isa.Mode.WINDOW) & (taps > lanes // 3)
        return empty | pairs | window | (job.mode == isa.Mode.ADD) | (job.deform > isa.Deform.PAIRS)
