# SPDX-License-Identifier: Apache-2.0
"""The list of proofs: what holds, how it is proven, and the bugs that make each one fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from codesign.program.config import AcceleratorConfig
from tests.formal import arbiters, axi, harness, register_file, requantiser
from tests.formal.exhaustive import Residency
from tests.formal.prover import prove
from tests.formal.seeds import original, seeded

ENGINES, DEPTH, CLIENTS = 3, 3, 3
SMALL = AcceleratorConfig(lanes=16, array_out=8)
Bug = tuple[str, str]  #: text of the module, and what is put in its place


@dataclass(frozen=True)
class Proof:
    """``block`` makes the block from its module, ``harness`` states what holds of it. ``mode`` "bmc": from reset on for ``depth`` cycles; "prove": always,
    by induction over ``depth`` cycles. ``complete``: why ``depth`` cycles are all there is to see, where they are."""

    module: str
    harness: type
    block: Callable[[ModuleType], Any]
    mode: str
    depth: int
    bugs: dict[str, Bug] = field(default_factory=dict)
    bug_depth: int = 12  # cycles within which the bugs show
    complete: str = ""
    slow: bool = False
    arguments: tuple = ()  # of the harness, behind the block

    def build(self, module: ModuleType) -> Any:
        return self.harness(self.block(module), *self.arguments)

    def holds(self, folder: Path) -> bool:
        return prove(self.build(original(self.module)), self.mode, self.depth, folder)

    def finds(self, bug: str, folder: Path) -> bool:
        """Whether the assertions fail on the block with ``bug``, from reset on."""
        broken = self.build(seeded(self.module, *self.bugs[bug]))
        return not prove(broken, "bmc", max(self.depth, self.bug_depth), folder)

    @property
    def how(self) -> str:
        if self.mode == "prove":
            return f"induction over {self.depth} cycles"
        return f"{self.depth} cycles from reset" + (f", which is all: {self.complete}" if self.complete else "")

    @property
    def claim(self) -> str:
        return " ".join(str(self.harness.__doc__).split())


PROOFS: dict[str, Proof | Residency] = {
    "queue": Proof(
        "hw.queue",
        harness.QueueKeepsOrder, lambda hw: hw.InstructionQueue(2, DEPTH),
        "bmc", 10,
        {
            "takes one when full": ("self.i.ready.eq(fifo.w_rdy)", "self.i.ready.eq(1)"),
            "last in, first out": ("amaranth.lib.fifo import SyncFIFO", "tests.formal.stack import StackedFIFO as SyncFIFO"),
        },
        arguments=(DEPTH,),
    ),
    "counters": Proof(
        "hw.tokens",
        harness.CountersCount, lambda hw: hw.TokenCounters(ENGINES),
        "prove", 3,
        {"two at once count once": ("+ self.retire[engine])", "+ (self.retire == 1 << engine))")},
        arguments=(ENGINES,),
    ),
    "gate": Proof(
        "hw.tokens",
        harness.GateWaits, lambda hw: hw.TokenGate(ENGINES),
        "prove", 2,
        {"forgets that counts wrap": ("Signal(signed(isa.TOKEN_BITS)", "Signal(signed(isa.TOKEN_BITS + 1)")},
        arguments=(ENGINES,),
    ),
    "bursts": Proof(
        "hw.bursts",
        harness.BurstsStayInside, lambda hw: hw.BurstSplitter(),
        "bmc", 6,
        {"crosses a boundary": ("room.eq(MAX_BEATS - now.address[3:7])", "room.eq(MAX_BEATS)")},
    ),
    "read port": Proof(
        "hw.axi_read",
        axi.ReadPortKeepsRules, lambda hw: hw.ReadPort(),
        "bmc", 12,
        {
            "a ninth burst": ("(outstanding != MAX_OUTSTANDING)", "(outstanding != MAX_OUTSTANDING + 1)"),
            "changes an address": ("(~axi.arvalid | axi.arready) & ~self.stop", "~self.stop"),
            "starts when stopped": ("& ~self.stop & (outst", "& (outst"),
        },
    ),
    "write port": Proof(
        "hw.axi_write",
        axi.WritePortKeepsRules, lambda hw: hw.WritePort(),
        "bmc", 11,
        {
            "withdraws data": ("        with m.If(axi.wready):", "        with m.If(1):"),
            "changes an address": ("(~axi.awvalid | axi.awready) & ~self.stop", "~self.stop"),
            "a ninth burst": ("depth=MAX_OUTSTANDING)\n        issued", "depth=MAX_OUTSTANDING + 1)\n        issued"),
        },
        slow=True,
    ),
    "write port's beats": Proof(
        "hw.axi_write",
        axi.WritePortCountsBeats, lambda hw: hw.WritePort(),
        "bmc", 8,
        {
            "always 16 beats": ("last.eq(sent == lengths.r_data)", "last.eq(sent == 15)"),
            "counts on": ("m.d.sync += sent.eq(0)", "m.d.sync += sent.eq(1)"),
            "beats before their burst": ("free.eq(lengths.r_rdy & (", "free.eq(("),
        },
        bug_depth=8,
    ),
    "write port's data": Proof(
        "hw.axi_write",
        axi.WritePortPassesBeats, lambda hw: hw.WritePort(),
        "bmc", 8,
        {
            "writes when stopped": ("wstrb.eq(Mux(self.stop, 0, self.beats.payload.strobe))", "wstrb.eq(self.beats.payload.strobe)"),
            "waits for an engine when stopped": ("(self.beats.valid | self.stop)", "self.beats.valid"),
        },
        bug_depth=8,
        slow=True,
    ),
    "read arbiter": Proof(
        "hw.axi_arbiter",
        arbiters.ReadArbiterDealsBack, lambda hw: hw.ReadArbiter(CLIENTS),
        "bmc", 8,
        {
            "beats to the next client": ("(owners.r_data == number)", "(owners.r_data == (number + 1) % self._clients)"),
            "takes two at once": ("port.ready & owners.w_rdy & ~earlier", "port.ready & owners.w_rdy"),
            "forgets a burst's end": ("beat.valid & beat.ready & beat.payload.last)", "beat.valid & beat.ready)"),
        },
        bug_depth=8,
        arguments=(CLIENTS,),
    ),
    "round robin": Proof(
        "hw.scratchpad",
        arbiters.RoundRobinIsFair, lambda hw: hw.RoundRobin(CLIENTS),
        "bmc", 10,
        {
            "the lowest always first": ("Mux(preferred.any(), preferred, self.requests)", "self.requests"),
            "moves on unserved": ("with m.If(self.requests.any() & self.served):", "with m.If(1):"),
            "grants two": ("pool[i] & ~pool[:i].any()", "pool[i]"),
        },
        arguments=(CLIENTS,),
    ),
    "write join": Proof(
        "hw.write_join",
        arbiters.WriteJoinServesAll, lambda hw: hw.WriteJoin(SMALL, CLIENTS),
        "bmc", 10,
        {
            "all are told": ("request.ready.eq(turn.grant[i] & out.ready)", "request.ready.eq(out.ready)"),
            "a turn passes unserved": ("turn.served.eq(out.ready)", "turn.served.eq(1)"),
            "an error to the client of now": ("before & self.error.replicate", "turn.grant & self.error.replicate"),
        },
        arguments=(CLIENTS,),
    ),
    "registers": Proof(
        "hw.registers",
        register_file.RegistersAreKept, lambda hw: hw.Registers(SMALL),
        "bmc", 9,
        {
            "COUNT changes while busy": ('"count", "base", "write_low"', '"base", "write_low"'),
            "ignores strobes": ("(value & mask) | (member & ~mask)", "value"),
            "starts while busy": ("low[0] & ~low[1] & ~self.busy", "low[0] & ~low[1]"),
            "answers before the data": ("have_address & have_data & ~axi.bvalid", "have_address & ~axi.bvalid"),
            "drops an answer": ("with m.If(axi.bready):", "with m.If(1):"),
            "reads on while one waits": ("axi.arready.eq(~wanted & ~axi.rvalid)", "axi.arready.eq(~wanted)"),
            "one counter too few": ("Register.COUNTERS + 256)", "Register.COUNTERS + 252)"),
        },
        slow=True,
    ),
    "requantiser's sum": Proof(
        "hw.requantise",
        requantiser.MultipliesAndAdds, requantiser.up_to_the_sum,
        "bmc", 5,
        {"drops the product's top bit": ("product.eq(self.acc * self.multiplier)", "product.eq((self.acc * self.multiplier)[:47])")},
        complete="two registers without feedback",
    ),
    "requantiser": Proof(
        "hw.requantise",
        requantiser.RoundsAndClamps, requantiser.behind_the_sum,
        "bmc", 6,
        {
            "rounds half up": ("up.eq(half & (floor[0] | rest))", "up.eq(half)"),
            "forgets what the coarse shift dropped": ("rest.eq(low | odd & near[0])", "rest.eq(odd & near[0])"),
            "saturates a bit late": ("far.eq(beyond.any() & ~beyond.all())", "far.eq(beyond[1:].any() & ~beyond[1:].all())"),
            "clamps by the wrong end": ("under, over = Mux(out, negative", "under, over = Mux(out, ~negative"),
        },
        complete="three registers without feedback",
        bug_depth=6,
        slow=True,
    ),
    "resident rows, some": Residency(range(9, 10), range(2, 4)),
    "resident rows": Residency(range(1, 13), range(1, 8), slow=True),
}  # fmt: skip
