# SPDX-License-Identifier: Apache-2.0
"""Load, store and dispatcher, each with its AXI port, as blocks for their benches."""

from __future__ import annotations

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from codesign.program.config import AcceleratorConfig
from hw import axi
from hw.axi_read import ReadPort
from hw.axi_write import WritePort
from hw.dispatcher import Dispatcher
from hw.load import Load
from hw.ports import EngineControl, ScratchpadRead, ScratchpadWrite
from hw.store import Store


class LoadSystem(wiring.Component):
    """Load engine and read port. Members: the engine's, the port's ``stop`` and ``idle``, and ``axi_``."""

    def __init__(self, config: AcceleratorConfig):
        self.engine = Load(config)
        super().__init__(
            {
                "control": Out(EngineControl()),
                "write": Out(ScratchpadWrite(config)),
                "base": In(32),
                "stop": In(1),
                "idle": Out(1),
                **axi.flat("axi_", axi.READ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine, m.submodules.port = engine, port = self.engine, ReadPort()
        wiring.connect(m, engine.bursts, port.bursts)
        wiring.connect(m, port.beats, engine.beats)
        wiring.connect(m, engine.control, wiring.flipped(self.control))
        wiring.connect(m, engine.write, wiring.flipped(self.write))
        m.d.comb += [engine.base.eq(self.base), port.stop.eq(self.stop), self.idle.eq(port.idle)]
        axi.join(m, self, "axi_", port.axi, axi.READ)
        return m


class StoreSystem(wiring.Component):
    """Store engine and write port. Members: the engine's, the port's ``stop`` and ``idle``, and ``axi_``."""

    def __init__(self, config: AcceleratorConfig):
        self.engine = Store(config)
        super().__init__(
            {
                "control": Out(EngineControl()),
                "read": Out(ScratchpadRead(config)),
                "base": In(32),
                "write_low": In(32),
                "write_high": In(32),
                "stop": In(1),
                "idle": Out(1),
                **axi.flat("axi_", axi.WRITE),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine, m.submodules.port = engine, port = self.engine, WritePort()
        wiring.connect(m, engine.bursts, port.bursts)
        wiring.connect(m, engine.beats, port.beats)
        wiring.connect(m, engine.control, wiring.flipped(self.control))
        wiring.connect(m, engine.read, wiring.flipped(self.read))
        for name in ("response", "response_last", "response_error"):
            m.d.comb += getattr(engine, name).eq(getattr(port, name))
        m.d.comb += [engine.base.eq(self.base), port.stop.eq(self.stop), self.idle.eq(port.idle)]
        m.d.comb += [engine.write_low.eq(self.write_low), engine.write_high.eq(self.write_high)]
        axi.join(m, self, "axi_", port.axi, axi.WRITE)
        return m


class DispatcherSystem(wiring.Component):
    """Dispatcher and read port. Members: the dispatcher's (``bursts`` and ``beats`` apart) and ``axi_``."""

    def __init__(self, config: AcceleratorConfig):
        self.dispatcher = Dispatcher(config)
        members = self.dispatcher.signature.members
        self.inner = {name: members[name] for name in members if name not in ("bursts", "beats", "params")}
        super().__init__(self.inner | {"params": members["params"]} | axi.flat("axi_", axi.READ))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dispatcher, m.submodules.port = dispatcher, port = self.dispatcher, ReadPort()
        wiring.connect(m, dispatcher.bursts, port.bursts)
        wiring.connect(m, port.beats, dispatcher.beats)
        wiring.connect(m, dispatcher.params, wiring.flipped(self.params))
        axi.join(m, self, "", dispatcher, self.inner)
        m.d.comb += port.stop.eq(self.stop)
        axi.join(m, self, "axi_", port.axi, axi.READ)
        return m
