# SPDX-License-Identifier: Apache-2.0
"""Where every cycle of every engine went."""

from __future__ import annotations

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.registers import Counter

STRIDE = 8  #: counter numbers from one engine to the next


class Counters(wiring.Component):
    """Counts, for each engine, the cycles of each `Counter` while ``enable`` is high.

    An idle engine in front of which an instruction waits for tokens counts as TOKEN. Latency one cycle.

    Parameters: ``engines``. Members: ``enable``, ``clear``, ``activity`` (per engine), ``waiting`` (a bit per
    engine), ``shown`` (per engine, without latency: as what this cycle counts), ``select`` (8 * engine +
    `Counter`) and ``value`` (of that counter; 0 where there is none).
    """

    def __init__(self, engines: int):
        self._engines = engines
        super().__init__(
            {
                "enable": In(1),
                "clear": In(1),
                "activity": In(range(len(Counter))).array(engines),
                "waiting": In(engines),
                "shown": Out(range(len(Counter))).array(engines),
                "select": In(6),
                "value": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counts: list[Signal] = []
        for engine in range(self._engines):
            idle = self.activity[engine] == Counter.IDLE
            shown = self.shown[engine]
            counted = Signal(range(len(Counter)), name=f"counted{engine}", init=Counter.IDLE)
            m.d.comb += shown.eq(Mux(idle & self.waiting[engine], Counter.TOKEN, self.activity[engine]))
            m.d.sync += counted.eq(shown)
            row = [Signal(32, name=f"{counter.name.lower()}{engine}") for counter in Counter]
            with m.If(self.enable):
                with m.Switch(counted):
                    for counter in Counter:
                        with m.Case(counter):
                            m.d.sync += row[counter].eq(row[counter] + 1)
            with m.If(self.clear):
                m.d.sync += [count.eq(0) for count in row]
            counts += [*row, *[0] * (STRIDE - len(Counter))]
        with m.If(self.select < len(counts)):
            m.d.comb += self.value.eq(Array(counts)[self.select])
        return m
