# SPDX-License-Identifier: Apache-2.0
"""One injection: what came of the frame, what it wrote, and whether the next frame is right."""

from __future__ import annotations

import random
from dataclasses import dataclass

from codesign.faults.injections import KINDS
from codesign.faults.room import Room
from codesign.program.isa import Fault
from codesign.program.registers import Register
from codesign.runtime.faults import AcceleratorFault, AcceleratorTimeout

MASKED, DIFFERENT, HUNG, UNANSWERED = "output equal", "output different", "hang", "WATCHDOG, memory never answers"


@dataclass(frozen=True)
class Result:
    """``outcome`` is a fault's name or one of the four above.

    ``whole``: program and parameters in memory were the package's after the frame, so that the driver's check would not
    have noticed. ``outside``: it wrote where it must not. ``recovered``: after a reset the next frame was golden's.
    """

    kind: str
    number: int
    what: str
    outcome: str
    whole: bool
    outside: bool
    recovered: bool

    @property
    def silent(self) -> bool:
        """A wrong output that neither a fault code nor the driver's check reports."""
        return self.outcome == DIFFERENT and self.whole


def trial(room: Room, kind: str, number: int) -> Result:
    """Injection ``number`` of ``kind``; the same for the same numbers and room."""
    room.restore()
    what = KINDS[kind](room, random.Random(f"{kind} {number}"))
    content = room.memory[: room.victim.program.content.size].copy()
    outcome = _outcome(room)
    outside, whole = room.written_outside(content), room.content_is_whole()
    room.simulated.inject_errors(0, 0)
    room.simulated.silence(0, 0)
    return Result(kind, number, what, outcome, whole, outside, _recovers(room))


def _outcome(room: Room) -> str:
    try:
        room.finish()
    except AcceleratorFault as fault:
        return Fault(fault.code).name if fault.code in set(Fault) else f"code {fault.code}"
    except AcceleratorTimeout:
        code = room.board.register_read(Register.FAULT) & 0xFF
        # the code is there, but busy and a reset wait for the bus: AXI forbids to give up what is outstanding
        return UNANSWERED if code == Fault.WATCHDOG and room.stuck() else HUNG
    return MASKED if room.frame_is_golden() else DIFFERENT


def _recovers(room: Room) -> bool:
    """A reset, program and weights written anew, and a frame as if nothing had been."""
    if room.stuck():
        return False
    room.restore()
    room.begin()
    try:
        room.finish()
    except (AcceleratorFault, AcceleratorTimeout):
        return False
    return room.frame_is_golden() and not room.written_outside(room.victim.program.content)
