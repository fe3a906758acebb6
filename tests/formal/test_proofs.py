# SPDX-License-Identifier: Apache-2.0
"""Proofs of the control blocks; each one fails on a block with a seeded bug."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from amaranth import Array, Cat, Module, Signal
from amaranth.lib import data
from amaranth.lib.fifo import SyncFIFO

from hw import axi_read, bursts, queue
from hw.axi_read import ReadPort
from hw.bursts import BurstSplitter
from hw.layouts import HEADER
from hw.queue import InstructionQueue
from hw.tokens import TokenCounters, TokenGate
from tests.formal import harness
from tests.formal.prover import missing, prove

ENGINES, DEPTH = 3, 3

PROOFS: dict[str, tuple[Callable[[], Any], str, int]] = {
    "queue": (lambda: harness.QueueKeepsOrder(InstructionQueue(2, DEPTH), DEPTH), "bmc", 10),
    "counters": (lambda: harness.CountersCount(TokenCounters(ENGINES), ENGINES), "prove", 3),
    "gate": (lambda: harness.GateWaits(TokenGate(ENGINES), ENGINES), "prove", 2),
    "bursts": (lambda: harness.BurstsStayInside(BurstSplitter()), "bmc", 6),
    "port": (lambda: harness.PortKeepsRules(ReadPort()), "bmc", 12),
}


class ForgetfulFIFO(SyncFIFO):
    """Bug: takes a value although it is full."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = SyncFIFO(width=self.width, depth=self.depth)
        m.d.comb += [
            fifo.w_data.eq(self.w_data),
            fifo.w_en.eq(self.w_en),
            fifo.r_en.eq(self.r_en),
            self.w_rdy.eq(1),
            self.r_data.eq(fifo.r_data),
            self.r_rdy.eq(fifo.r_rdy),
            self.level.eq(fifo.level),
        ]
        return m


class StackedFIFO(ForgetfulFIFO):
    """Bug: the last in is the first out when two are held."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, level = [Signal(self.width, name=f"row{i}") for i in range(self.depth + 1)], Signal(4)
        push, pop = self.w_en & self.w_rdy, self.r_en & self.r_rdy
        m.d.comb += [self.w_rdy.eq(level != self.depth), self.r_rdy.eq(level != 0), self.level.eq(level)]
        m.d.comb += self.r_data.eq(Array(rows)[level])
        m.d.sync += level.eq(level + push - pop)
        with m.If(push):
            m.d.sync += Array(rows)[(level - pop + 1)[:4]].eq(self.w_data)
        return m


class SlowCounters(TokenCounters):
    """Bug: two engines that retire in the same cycle count once."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for engine in reversed(range(self._engines)):
            with m.If(self.retire == 1 << engine):
                m.d.sync += self.retired[engine].eq(self.retired[engine] + 1)
        return m


class UnsignedGate(TokenGate):
    """Bug: the counts are compared as they are, so that they fail once they wrap."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        header = data.View(HEADER, self.i.payload[: HEADER.size])
        met = [self.retired[i] >= header[f"wait{i}"] for i in range(self._engines)]
        passes = Cat(met).all() & ~self.stop
        m.d.comb += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid & passes)]
        m.d.comb += [self.i.ready.eq(self.o.ready & passes), self.waiting.eq(self.i.valid & ~Cat(met).all())]
        return m


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize("name", PROOFS)
def test_holds(name: str, tmp_path: Path) -> None:
    build, mode, depth = PROOFS[name]
    assert prove(build(), mode, depth, tmp_path)


#: proof, and what replaces what to break its block
BUGS: dict[str, tuple[str, object, str, object]] = {
    "queue takes too many": ("queue", queue, "SyncFIFO", ForgetfulFIFO),
    "queue turns round": ("queue", queue, "SyncFIFO", StackedFIFO),
    "counters share": ("counters", sys.modules[__name__], "TokenCounters", SlowCounters),
    "gate forgets the wrap": ("gate", sys.modules[__name__], "TokenGate", UnsignedGate),
    "bursts too long": ("bursts", bursts, "MAX_BEATS", 32),
    "port takes nine": ("port", axi_read, "MAX_OUTSTANDING", 9),
}


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize("bug", BUGS)
def test_finds_seeded_bug(bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, module, attribute, replacement = BUGS[bug]
    build, _, depth = PROOFS[name]
    monkeypatch.setattr(module, attribute, replacement)
    assert not prove(build(), "bmc", max(depth, 12), tmp_path)
