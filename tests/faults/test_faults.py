# SPDX-License-Identifier: Apache-2.0
"""Faults are answered with their code, nothing is written outside, and the next frame is right. One accelerator, the one that
tests/fuzz compiles; `codesign faults` is the whole campaign."""

import json
from dataclasses import replace

import pytest

from codesign.cli.app import main
from codesign.errors import UserError
from codesign.faults import campaign as module
from codesign.faults.campaign import campaign
from codesign.faults.injections import KINDS
from codesign.faults.room import Room
from codesign.faults.text import table, wrong
from codesign.faults.trial import DIFFERENT, HUNG, MASKED, UNANSWERED, Result, trial
from codesign.faults.victims import victims
from codesign.fuzz.machines import CONFIG, library

#: What may come of a kind.
POSSIBLE = {
    "AXI read error": {"READ", "WRITE", MASKED},
    "AXI write error": {"WRITE", "READ", MASKED},
    "reset mid-frame": {MASKED},
    "flipped weight bit": {MASKED, DIFFERENT},
    "memory that stops answering": {MASKED, "WATCHDOG", UNANSWERED},
}


@pytest.fixture(scope="module")
def room():
    victim = min(victims(0), key=lambda v: len(v.program.instructions))
    made = Room(library(CONFIG), victim, 1)
    yield made
    made.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fault_is_answered_and_recovered_from(kind, room):
    results = [trial(room, kind, number) for number in range(8)]
    assert not wrong(results), wrong(results)
    outcomes = {result.outcome for result in results}
    assert outcomes <= POSSIBLE.get(kind, outcomes)
    if kind not in ("reset mid-frame", "flipped weight bit"):
        assert outcomes - {MASKED, DIFFERENT}, "no code was reported"


def test_a_stray_write_is_noticed(room):
    content = room.victim.program.content
    room.restore()
    assert not room.written_outside(content)
    room.simulated.buffer[-1] ^= 1
    assert room.written_outside(content)
    room.simulated.buffer[-1] ^= 1
    room.memory[3] ^= 1
    assert room.written_outside(content) and not room.content_is_whole()
    room.restore()


def test_without_the_window_a_store_does_leave_its_memory(room):
    """The guards and the window are both needed: with WRITE_HIGH 0 the same corruption writes outside."""
    from codesign.program import isa

    program = room.victim.program
    index = next(i for i, one in enumerate(program.instructions) if one.opcode == isa.Opcode.STORE)
    low = 8 + 16 + 16 * isa.MAX_ENGINES + 48  # dram_addr's lowest bit
    for window, outcome, outside in ((program.writable, "ADDRESS", False), ((0, 0), DIFFERENT, True)):
        room.restore()
        for bit in (low + 30,):
            room.memory[isa.INSTRUCTION_BYTES * index + bit // 8] ^= 1 << bit % 8
        content = room.memory[: program.content.size].copy()
        room.driver.start(0, len(program.instructions), room.base, 30_000, window)
        try:
            room.finish()
            found = DIFFERENT
        except UserError as error:
            found = "ADDRESS" if "ADDRESS" in str(error) else "WRITE"
        assert room.written_outside(content) == outside
        assert found == outcome or (outside and found == "WRITE")
        room.reset()
    victim_again = room.stuck()
    assert not victim_again


def test_a_killed_campaign_goes_on(tmp_path, monkeypatch):
    ran = []

    class Pretended:
        cycles = 5

        def __init__(self, _, victim, __):
            self.victim = victim

        def close(self):
            pass

    def pretended(_, kind, number):
        ran.append((kind, number))
        return Result(kind, number, "", MASKED, True, False, number != 5)

    made = victims(0)[:1] * 4
    monkeypatch.setattr(module, "Room", Pretended)
    monkeypatch.setattr(module, "trial", pretended)
    monkeypatch.setattr(module, "library", lambda *_: None)
    monkeypatch.setattr(module, "victims", lambda _: made)
    path = tmp_path / "journal.jsonl"
    campaign(4, path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-30])
    results = campaign(7, path)
    assert len(results) == 7 * len(KINDS) and len(ran) == len(set(ran)) + 1
    assert len(wrong(results)) == len(KINDS)  # number 5 did not recover
    assert table(results).count("\n") == len(KINDS) + 2
    path.write_text(json.dumps({"schema": 1, "sources": "others"}) + "\n")
    with pytest.raises(UserError, match="other sources"):
        campaign(7, path)
    path.write_text("{}\n")
    assert main(["faults", "--each", "1", "--journal", str(path)]) == 2


def test_what_must_not_be_is_named():
    good = Result("token imbalance", 0, "", "WATCHDOG", False, False, True)
    assert not wrong([good, replace(good, outcome=DIFFERENT)])  # the driver's check reports it
    assert wrong([replace(good, outcome=HUNG)]) and wrong([replace(good, outside=True)]) and wrong([replace(good, recovered=False)])
    assert wrong([replace(good, outcome=DIFFERENT, whole=True)])
