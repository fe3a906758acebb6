# SPDX-License-Identifier: Apache-2.0
"""Start, stop, faults: the state of the whole accelerator."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

#: A fault as a block reports it; ``valid`` may be a pulse.
FaultReport = data.StructLayout({"valid": 1, "code": 4, "engine": 4, "index": 16})


class State(enum.Enum, shape=3):
    """What the accelerator is doing; ``FAULTED`` is idle with a fault recorded."""

    IDLE = 0
    CLEAN = 1
    BEGIN = 2
    RUN = 3
    STOPPING = 4
    FAULTED = 5


class Watchdog(wiring.Component):
    """``bite`` pulses when ``limit`` cycles pass while ``enable`` is high without a ``pat``; 0 means never.

    Members: ``enable``, ``pat``, ``limit``, ``bite``.
    """

    enable: In(1)
    pat: In(1)
    limit: In(32)
    bite: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        quiet = Signal(32)
        m.d.comb += self.bite.eq(self.enable & (self.limit != 0) & (quiet >= self.limit))
        with m.If(self.pat | ~self.enable | self.bite):
            m.d.sync += quiet.eq(0)
        with m.Else():
            m.d.sync += quiet.eq(quiet + 1)
        return m


class Status(wiring.Component):
    """The accelerator's state: idle, starting, running, stopping after a fault, resetting.

    A start, as a soft reset, first waits until no AXI transaction is outstanding and then resets the core for
    one cycle; a start costs two cycles by that. The first fault wins; of several in one cycle, the first
    report in the list.

    Parameters: ``reports``, the number of fault sources. Members: ``start``, ``soft_reset`` (pulses);
    ``complete`` (halted, all retired); ``idle`` (no AXI transaction is outstanding); ``reports``; ``stop``
    (no new AXI transactions, no new instructions); ``core_reset``; ``go`` (pulse: begin the program);
    ``running``; ``busy``, ``done``, ``fault``, ``fault_word``, ``cycles`` (as in the registers).
    """

    def __init__(self, reports: int):
        super().__init__(
            {
                "start": In(1),
                "soft_reset": In(1),
                "complete": In(1),
                "idle": In(1),
                "reports": In(FaultReport).array(reports),
                "stop": Out(1),
                "core_reset": Out(1),
                "go": Out(1),
                "running": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "fault": Out(1),
                "fault_word": Out(32),
                "cycles": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(State)
        starting = Signal()  # the reset under way belongs to a start
        recorded = Signal(FaultReport)
        reported = Cat(report.valid for report in self.reports).any()
        m.d.comb += [
            self.stop.eq((state != State.RUN) & (state != State.BEGIN)),
            self.busy.eq((state != State.IDLE) & (state != State.FAULTED)),
            self.running.eq(state == State.RUN),
            self.core_reset.eq((state == State.CLEAN) & self.idle),
            self.go.eq(state == State.BEGIN),
            self.fault.eq(recorded.valid & ~self.busy),
            self.fault_word.eq(Cat(recorded.code, Const(0, 4), recorded.engine, Const(0, 4), recorded.index)),
        ]
        m.d.sync += self.cycles.eq(self.cycles + self.busy)
        with m.Switch(state):
            with m.Case(State.CLEAN):  # wait for the bus, then reset the core
                with m.If(self.idle):
                    m.d.sync += state.eq(Mux(starting, State.BEGIN, State.IDLE))
            with m.Case(State.BEGIN):
                m.d.sync += state.eq(State.RUN)
            with m.Case(State.RUN):
                with m.If(reported):
                    m.d.sync += [state.eq(State.STOPPING), recorded.eq(self._first())]
                with m.Elif(self.complete):
                    m.d.sync += [state.eq(State.IDLE), self.done.eq(1)]
            with m.Case(State.STOPPING):  # the bus finishes, the core stays as it is
                with m.If(self.idle):
                    m.d.sync += state.eq(State.FAULTED)
        with m.If(self.start | self.soft_reset):
            m.d.sync += [state.eq(State.CLEAN), starting.eq(self.start)]
            m.d.sync += [self.done.eq(0), self.cycles.eq(0), recorded.eq(0)]
        return m

    def _first(self) -> Value:
        """The first valid report."""
        first = self.reports[-1].as_value()
        for report in reversed(list(self.reports)[:-1]):
            first = Mux(report.valid, report.as_value(), first)
        return first
