# SPDX-License-Identifier: Apache-2.0
"""A computing engine behind a gate of one bit, where the accelerator has one of tokens."""

from __future__ import annotations

import random
from typing import Any

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.ports import EngineControl
from sim.streams import Ticker


class Gated(wiring.Component):
    """``engine`` (Pointwise or Depthwise) with its members; instructions reach it while ``open``, and are shown to it
    before."""

    def __init__(self, engine: Any):
        self.engine = engine
        members = dict(engine.signature.members)
        del members["ahead"], members["control"]
        self.others = tuple(members)
        super().__init__(members | {"control": Out(EngineControl()), "open": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = engine = self.engine
        for name in self.others:
            wiring.connect(m, getattr(engine, name), wiring.flipped(getattr(self, name)))
        outer, inner = self.control, engine.control
        m.d.comb += [
            inner.instruction.payload.eq(outer.instruction.payload),
            inner.instruction.valid.eq(outer.instruction.valid & self.open),
            outer.instruction.ready.eq(inner.instruction.ready & self.open),
            engine.ahead.eq(outer.instruction.valid),
        ]
        for name in EngineControl().members:
            if name != "instruction":
                m.d.comb += getattr(outer, name).eq(getattr(inner, name))
        return m


class Gate:
    """Opens and closes the gate: closed for ``pause`` of the time, in stretches of 30 cycles on average."""

    STRETCH = 30

    def __init__(self, dut: Any, rng: random.Random, pause: float):
        self.open, self.rng, self.pause = dut.open, rng, pause
        self.open.value = 1
        Ticker.of(dut).agents.append(self)

    def tick(self) -> None:
        if self.rng.random() < 1 / self.STRETCH:
            self.open.value = int(self.rng.random() >= self.pause)
