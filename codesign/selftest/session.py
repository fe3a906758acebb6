# SPDX-License-Identifier: Apache-2.0
"""A virtual board with the driver's detector on it, and what may be demanded of both."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from codesign.program.registers import Register
from codesign.runtime import (
    AcceleratorFault,
    AcceleratorTimeout,
    Detector,
    DriverError,
)
from codesign.selftest.network import golden, pictures, same
from codesign.virtual import VirtualBoard

SECONDS, WATCHDOG = 0.05, 50_000


class Wrong(Exception):
    """The driver gave a wrong result, another error than it should, or none."""


class Session:
    """A virtual board and the detector on it.

    ``reported`` counts the errors that the driver raised or kept, by class and code; ``frames`` those equal to golden's.
    """

    def __init__(self, package: Path, board: VirtualBoard, noise: random.Random):
        self.package, self.noise, self.board = package, noise, board
        self.reported: Counter[str] = Counter()
        self.frames = 0
        self.pictures = pictures(6, 40)
        self.golden = [golden(picture) for picture in self.pictures]
        self.close_board = board.close
        board.close = lambda: None  # type: ignore[method-assign]  # the board outlives detectors
        self.detector = self.opened()

    def opened(self) -> Detector:
        detector = Detector.from_package(str(self.package), self.board, seconds=SECONDS, watchdog=WATCHDOG)
        detector.faults = _Kept(self.report)
        return detector

    def report(self, error: DriverError) -> None:
        """Count an error that the driver reported."""
        code = f" (code {error.code})" if isinstance(error, AcceleratorFault) else ""
        self.reported[f"{type(error).__name__}{code}"] += 1

    @property
    def what(self) -> Any:
        return self.detector.package.description

    def pick(self) -> int:
        return self.noise.randrange(len(self.pictures))

    def right(self, found: Any, number: int) -> None:
        demand(same(found, self.golden[number]), f"boxes of picture {number} are not golden's")
        self.frames += 1

    def check(self) -> None:
        """The next frame is right, whatever was done before, and without another fault."""
        number, before = self.pick(), len(self.detector.faults)
        self.right(self.detector.detect(self.pictures[number]), number)
        demand(len(self.detector.faults) == before, "a frame after it met a fault")

    def begun(self) -> None:
        """A frame under way, some cycles in."""
        slot = self.detector._slots[0]
        slot.write(self.pictures[self.pick()])
        self.detector._begin(slot)
        self.board.simulated.advance(self.noise.randrange(1, 5000))

    @contextmanager
    def refused(self, error: type[DriverError]) -> Iterator[SimpleNamespace]:
        """What stands inside raises exactly ``error``."""
        caught = SimpleNamespace(value=None)
        try:
            yield caught
        except DriverError as raised:
            demand(type(raised) is error, f"{type(raised).__name__} instead of {error.__name__}: {raised}")
            demand("\n" not in str(raised), "a message of several lines")
            caught.value = raised
            if not isinstance(raised, AcceleratorFault | AcceleratorTimeout):  # those the detector keeps itself
                self.report(raised)
        demand(caught.value is not None, f"no {error.__name__}")

    def fails(self, error: type[DriverError], code: int | None = None, retries: int = 0) -> None:
        """A frame raises ``error`` with its code, after so many retries."""
        self.detector.retries = retries
        self.detector.faults.clear()
        with self.refused(error) as caught:
            self.detector.detect(self.pictures[self.pick()])
        self.detector.retries = 1
        demand([type(fault) for fault in self.detector.faults] == [error] * (retries + 1), "not one report an attempt")
        if code is not None:
            fault = caught.value
            demand(fault.code == code, f"code {fault.code} instead of {code}")
            demand(0 <= fault.index <= self.what.instructions and fault.engine < len(self.what.engines), "no such instruction")

    def inject(self, low: int, high: int) -> None:
        """Memory answers these bytes of the frame's buffer with errors; (0, 0) ends it."""
        base = self.detector._slots[0].address if high else 0
        self.board.simulated.inject_errors(base + low, base + high)

    def idle(self) -> None:
        status = self.board.register_read(Register.STATUS)
        demand(status == 0, f"STATUS is {status} after a reset")


def demand(holds: bool, message: str) -> None:
    """Raise `Wrong` unless ``holds``."""
    if not holds:
        raise Wrong(message)


class _Kept(deque[DriverError]):
    """A detector's faults, each told to ``hear``."""

    def __init__(self, hear: Callable[[DriverError], None]):
        super().__init__(maxlen=100)
        self._hear = hear

    def append(self, error: DriverError) -> None:
        self._hear(error)
        super().append(error)
