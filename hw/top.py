# SPDX-License-Identifier: Apache-2.0
"""The whole accelerator."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.isa import Engine, Fault, Opcode
from codesign.program.registers import Counter
from hw import axi
from hw.axi_arbiter import ReadArbiter
from hw.axi_read import ReadPort
from hw.axi_write import WritePort
from hw.counters import Counters
from hw.depthwise import Depthwise
from hw.dispatcher import Dispatcher
from hw.layouts import ADDRESS_BITS, instruction
from hw.load import Load
from hw.multipliers import Multipliers
from hw.param_fetch import ParamFetch
from hw.pointwise import Pointwise
from hw.queue import InstructionQueue
from hw.registers import Registers
from hw.scratchpad import Scratchpad
from hw.status import Status, Watchdog
from hw.store import Store
from hw.tokens import TokenCounters, TokenGate
from hw.write_join import WriteJoin

UNFINISHED = 8  #: started instructions per engine whose numbers are kept for fault reports


def ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    """The top's ports, without clk, rst and monitors."""
    members = axi.flat("s_axi_", axi.LITE) | axi.flat("m_axi_0_", axi.READ | axi.WRITE)
    if config.memory_ports == 2:
        members |= axi.flat("m_axi_1_", axi.READ)
    return members | {"irq": Out(1)}


def monitor_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    """What a simulation may watch: every scratchpad write, every instruction's start and retirement, and as what
    each engine's cycle counts."""
    members: dict[str, wiring.Member] = {}
    for writer in range(2 + config.depthwise_units):
        for name, width in (
            ("valid", 1),
            ("addr", ADDRESS_BITS),
            ("mask", config.lanes),
            ("data", 8 * config.lanes),
        ):
            members[f"mon_write_{writer}_{name}"] = Out(width)
    for engine in range(len(config.engines)):
        for event in ("retire", "start"):
            members[f"mon_{event}_{engine}_valid"] = Out(1)
            members[f"mon_{event}_{engine}_index"] = Out(16)
        members[f"mon_activity_{engine}"] = Out(range(len(Counter)))
    return members


class Accelerator(wiring.Component):
    """Engines, scratchpad, control and AXI ports, as docs/architecture.md describes them.

    Parameters: ``config``; ``monitors`` adds outputs for simulation that change no cycle (see
    `monitor_ports`); ``layout`` chooses the form of the pointwise array (see `hw.array`).
    Members: see `ports`.
    """

    def __init__(self, config: AcceleratorConfig, monitors: bool = False, layout: Multipliers | None = None):
        self._config = config
        self._monitors = monitors
        super().__init__(ports(config) | (monitor_ports(config) if monitors else {}))
        units = config.depthwise_units
        self.load, self.store = Load(config), Store(config)
        pointwise = Pointwise(config, layout=layout)
        self.computing = [pointwise, *(Depthwise(config) for _ in range(units))]
        self.engines: list[Any] = [self.load, self.store, *self.computing]
        self.scratchpad = Scratchpad(config, readers=units + 2, writers=2)
        self.write_join = WriteJoin(config, clients=units + 1)
        self.dispatcher, self.fetch = Dispatcher(config), ParamFetch(config)
        self.tokens = TokenCounters(len(self.engines))
        self.status = Status(reports=len(self.engines) + 4)
        self.registers, self.counters = Registers(config), Counters(len(self.engines))
        self.read_ports = [ReadPort() for _ in range(config.memory_ports)]
        self.write_port = WritePort()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = ResetInserter(self.status.core_reset)
        for name, engine in zip(self._config.engines, self.engines, strict=True):
            m.submodules[name] = core(engine)
        for name in ("scratchpad", "write_join", "dispatcher", "fetch", "tokens"):
            m.submodules[name] = core(getattr(self, name))
        for name in ("status", "registers", "counters", "write_port"):
            m.submodules[name] = getattr(self, name)
        self._connect_memory(m, core)
        self._connect_scratchpad(m)
        retire = [engine.control.retire for engine in self.engines]
        m.d.comb += self.tokens.retire.eq(Cat(retire))
        watched = [self._connect_engine(m, core, number) for number in range(len(self.engines))]
        self._connect_control(m, core, watched)
        return m

    def _connect_memory(self, m: Module, core: ResetInserter) -> None:
        """AXI ports; program, parameters and (with one port) loads share a read port in that order."""
        readers = [[self.load], [self.dispatcher, self.fetch]]
        if self._config.memory_ports == 1:
            readers = [[self.dispatcher, self.fetch, self.load]]
        for number, (port, clients) in enumerate(zip(self.read_ports, readers, strict=True)):
            arbiter = ReadArbiter(len(clients))
            m.submodules[f"read_port{number}"], m.submodules[f"read_arbiter{number}"] = port, core(arbiter)
            for i, client in enumerate(clients):
                wiring.connect(m, client.bursts, arbiter.bursts[i])
                wiring.connect(m, arbiter.beats[i], client.beats)
            wiring.connect(m, arbiter.port_bursts, port.bursts)
            wiring.connect(m, port.beats, arbiter.port_beats)
            axi.join(m, self, f"m_axi_{number}_", port.axi, axi.READ)
        store, write = self.store, self.write_port
        wiring.connect(m, store.bursts, write.bursts)
        wiring.connect(m, store.beats, write.beats)
        for name in ("response", "response_last", "response_error"):
            m.d.comb += getattr(store, name).eq(getattr(write, name))
        axi.join(m, self, "m_axi_0_", write.axi, axi.WRITE)
        axi.join(m, self, "s_axi_", self.registers.axi, axi.LITE)
        for client in (self.load, self.store, self.dispatcher, self.fetch):
            m.d.comb += client.base.eq(self.registers.base)
        m.d.comb += [store.write_low.eq(self.registers.write_low), store.write_high.eq(self.registers.write_high)]
        for port in (*self.read_ports, write):
            m.d.comb += port.stop.eq(self.status.stop)
        m.d.comb += self.status.idle.eq(Cat(port.idle for port in (*self.read_ports, write)).all())

    def _connect_scratchpad(self, m: Module) -> None:
        for i, engine in enumerate([*self.computing, self.store]):
            wiring.connect(m, engine.read, self.scratchpad.read[i])
        pointwise, *units = self.computing
        wiring.connect(m, pointwise.write, self.scratchpad.write[0])
        for engine, port in zip([*units, self.load], self.write_join.i, strict=True):
            wiring.connect(m, engine.write, port)
        wiring.connect(m, self.write_join.o, self.scratchpad.write[1])
        m.d.comb += self.write_join.error.eq(self.scratchpad.write_error[1])
        for i, engine in enumerate([*self.computing, self.load]):
            port = engine.write
            if self._monitors:
                m.d.comb += getattr(self, f"mon_write_{i}_valid").eq(port.request.valid & port.request.ready)
                for name in ("addr", "mask", "data"):
                    m.d.comb += getattr(self, f"mon_write_{i}_{name}").eq(getattr(port.request.payload, name))
        for i, engine in enumerate(self.computing):
            wiring.connect(m, self.fetch.params[i], engine.params)

    def _connect_engine(self, m: Module, core: ResetInserter, number: int) -> dict[str, Any]:
        """Queue and gate in front of an engine; the answer is what the control block watches there."""
        name, control = self._config.engines[number], self.engines[number].control
        opcode = (Opcode.LOAD, Opcode.STORE, Opcode.POINTWISE, Opcode.DEPTHWISE)[min(number, 3)]
        used = instruction(opcode)
        # a load has no use for its last field
        bits = used["lane_mask"].offset if opcode == Opcode.LOAD else used.size
        queue = InstructionQueue(bits, self._config.queue_depth)
        gate = TokenGate(len(self.engines))
        unfinished = SyncFIFO(width=16, depth=UNFINISHED)
        m.submodules[f"{name}_queue"], m.submodules[f"{name}_gate"] = core(queue), gate
        m.submodules[f"{name}_unfinished"] = core(unfinished)
        if number >= Engine.POINTWISE:
            m.d.comb += self.engines[number].ahead.eq(gate.i.valid & ~gate.stop)
        wiring.connect(m, queue.o, gate.i)
        wiring.connect(m, gate.o, control.instruction)
        index, started = gate.o.payload[8:24], Signal(name=f"{name}_started")
        m.d.comb += [
            queue.i.payload.eq(self.dispatcher.instruction),
            queue.i.valid.eq(self.dispatcher.valid[number]),
            self.dispatcher.ready[number].eq(queue.i.ready),
            *(gate.retired[i].eq(self.tokens.retired[i]) for i in range(len(self.engines))),
            gate.stop.eq(self.status.stop),
            started.eq(gate.o.valid & gate.o.ready),
            unfinished.w_en.eq(started),
            unfinished.w_data.eq(index),
            unfinished.r_en.eq(control.retire),
            self.counters.activity[number].eq(control.activity),
            self.counters.waiting[number].eq(gate.waiting),
        ]
        if self._monitors:
            shown = {"retire": (control.retire, control.retire_index), "start": (started, index)}
            for event, (valid, which) in shown.items():
                m.d.comb += getattr(self, f"mon_{event}_{number}_valid").eq(valid)
                m.d.comb += getattr(self, f"mon_{event}_{number}_index").eq(which)
            m.d.comb += getattr(self, f"mon_activity_{number}").eq(self.counters.shown[number])
        dispatched = Signal(isa.TOKEN_BITS, name=f"{name}_dispatched")
        m.d.sync += dispatched.eq(dispatched + (queue.i.valid & queue.i.ready))
        with m.If(self.status.core_reset):
            m.d.sync += dispatched.eq(0)
        finished = dispatched == self.tokens.retired[number]
        oldest = Signal(16, name=f"{name}_oldest")  # as late as the scratchpad's error bits
        m.d.sync += oldest.eq(unfinished.r_data)
        return {
            "oldest": oldest,
            "waiting": gate.waiting,
            "index": gate.i.payload[8:24],
            "finished": finished,
        }

    def _connect_control(self, m: Module, core: ResetInserter, watched: list[dict[str, Any]]) -> None:
        """Registers, status, watchdog, counters, program and parameter fetch."""
        m.submodules.watchdog = watchdog = Watchdog()
        registers, status, counters, dispatcher = self.registers, self.status, self.counters, self.dispatcher
        wiring.connect(m, dispatcher.params, self.fetch.requests)
        m.d.comb += [
            status.start.eq(registers.start),
            status.soft_reset.eq(registers.soft_reset),
            status.complete.eq(dispatcher.halted & Cat(engine["finished"] for engine in watched).all()),
            *(
                getattr(registers, name).eq(getattr(status, name))
                for name in ("busy", "done", "fault", "fault_word", "cycles")
            ),
            dispatcher.start.eq(status.go),
            dispatcher.program.eq(registers.program),
            dispatcher.count.eq(registers.count),
            dispatcher.stop.eq(status.stop),
            watchdog.enable.eq(status.running),
            watchdog.pat.eq(self.tokens.retire.any()),
            watchdog.limit.eq(registers.watchdog),
            counters.enable.eq(status.busy),
            counters.clear.eq(registers.start | registers.soft_reset),
            counters.select.eq(registers.counter),
            registers.counter_value.eq(counters.value),
            self.irq.eq(registers.irq),
        ]
        self._connect_faults(m, watchdog, watched)

    def _connect_faults(self, m: Module, watchdog: Watchdog, watched: list[dict[str, Any]]) -> None:
        """Engines first, then the scratchpad, the parameter fetcher, the dispatcher and the watchdog."""
        reports = iter(self.status.reports)

        def report(valid: Any, code: Any, engine: Any, index: Any) -> None:
            here = next(reports)
            m.d.comb += [
                here.valid.eq(valid),
                here.code.eq(code),
                here.engine.eq(engine),
                here.index.eq(index),
            ]

        for number, engine in enumerate(self.engines):
            report(engine.control.fault, engine.control.fault_code, number, engine.control.fault_index)
        ranges, pad = [Signal(name=f"range{i}") for i in range(len(self.engines))], self.scratchpad
        written = [pad.write_error[0], *self.write_join.errors]
        for i in range(len(self.computing)):
            m.d.comb += ranges[Engine.POINTWISE + i].eq(pad.read_error[i] | written[i])
        who, oldest, late, waiting = Signal(4), Signal(16), Signal(4), Signal(16)
        m.d.comb += waiting.eq(self.dispatcher.index)
        for number in reversed(range(len(self.engines))):
            with m.If(ranges[number]):
                m.d.comb += [who.eq(number), oldest.eq(watched[number]["oldest"])]
            with m.If(watched[number]["waiting"]):
                m.d.comb += [late.eq(number), waiting.eq(watched[number]["index"])]
        report(Cat(ranges).any(), Fault.ADDRESS, who, oldest)
        report(self.fetch.fault, Fault.READ, self.fetch.fault_engine, self.fetch.fault_index)
        dispatcher = self.dispatcher
        report(dispatcher.fault, dispatcher.fault_code, dispatcher.fault_engine, dispatcher.index)
        report(watchdog.bite, Fault.WATCHDOG, late, waiting)
