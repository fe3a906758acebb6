# SPDX-License-Identifier: Apache-2.0
"""An engine that takes nothing and does nothing: holds a place in builds of part of the accelerator."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from codesign.program.registers import Counter
from hw.ports import EngineControl, ParamStream, ScratchpadRead, ScratchpadWrite


class Stub(wiring.Component):
    """Never ready, always idle. Parameters: ``config``. Members: those of every computing engine."""

    def __init__(self, config: AcceleratorConfig):
        members = {"control": Out(EngineControl()), "params": In(ParamStream)}
        super().__init__(members | {"read": Out(ScratchpadRead(config)), "write": Out(ScratchpadWrite(config))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.control.activity.eq(Counter.IDLE)
        return m
