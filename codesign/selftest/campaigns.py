# SPDX-License-Identifier: Apache-2.0
"""Many random operations; a campaign is its seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from codesign.selftest.operations import OPERATIONS, Operations
from codesign.selftest.session import Wrong
from codesign.virtual import VirtualBoard

STALLS = (0.0, 0.2, 0.6)  #: a channel's chance a cycle to pause, session by session
SESSION = 50  #: operations a board is used for
CHECKED = 0.25  #: share of operations followed by a frame that must be right


@dataclass
class Tally:
    """How often what was done, which errors the driver reported, frames that equalled golden, cycles simulated."""

    operations: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    cycles: int = 0

    @property
    def total(self) -> int:
        """Operations done."""
        return sum(self.operations.values())


def campaign(
    package: Path,
    make_board: Callable[[float, int], VirtualBoard],
    count: int,
    seed: int,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """``count`` operations; ``make_board`` takes stall and seed. Raises `Wrong` with the operation's number, from 0."""
    noise, tally = random.Random(seed), Tally()
    for number in range(-(-count // SESSION)):
        board = make_board(STALLS[number % len(STALLS)], number)
        session = None
        try:
            session = Operations(package, board, noise)
            for _ in range(min(SESSION, count - SESSION * number)):
                one(session, noise.choice(OPERATIONS), noise, tally)
                progress(tally)
            session.check()
        finally:
            tally.cycles += board.simulated.cycle
            if session is not None:
                tally.reported += session.reported
                tally.frames += session.frames
            (board.close if session is None else session.close_board)()
    return tally


def one(session: Operations, name: str, noise: random.Random, tally: Tally) -> None:
    """The operation ``name``, counted in ``tally`` when it went as it should."""
    try:
        getattr(session, f"do_{name}")()
        if noise.random() < CHECKED:
            session.check()
    except Wrong as error:
        raise Wrong(f"operation {tally.total}, {name}: {error}") from error
    except Exception as error:
        raise Wrong(f"operation {tally.total}, {name}: {type(error).__name__}: {error}") from error
    tally.operations[name] += 1
