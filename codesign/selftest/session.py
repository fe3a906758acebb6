# SPDX-License-Identifier: Apache-2.0
"""Random operations of the driver on a virtual board: right, wrong and interrupted ones.

After each the driver must be usable; what it reports is checked by its class and code. Time is simulated, so a wait that
never ended would be an `AcceleratorTimeout`; the memory model ends the run where the accelerator breaks a rule of AXI.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from codesign.program.registers import Register
from codesign.runtime import (
    AcceleratorBusy,
    AcceleratorFault,
    AcceleratorTimeout,
    BufferFreed,
    Detector,
    DriverError,
    FrameError,
    OpcodeFault,
    ReadFault,
    WatchdogFault,
    WriteFault,
)
from codesign.selftest.network import SIDE, golden, pictures, same
from codesign.virtual import VirtualBoard

SECONDS, WATCHDOG = 0.05, 50_000
NO_OPCODES = (0x00, 0x0F, 0x9D)  #: no instruction has these numbers
SHAPES = ((16, SIDE, 3), (SIDE, SIDE), (SIDE, SIDE, 5), (SIDE, SIDE, 1), (0, SIDE, 3), (SIDE + 1, SIDE, 3))


class Wrong(Exception):
    """The driver gave a wrong result, another error than it should, or none."""


class Session:
    """A virtual board and the detector on it; the operations are the methods called ``do_...``.

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

    # -- what works

    def do_detect(self) -> None:
        self.check()

    def do_stream(self) -> None:
        numbers = [self.pick() for _ in range(self.noise.randrange(4))]
        found = list(self.detector.stream(self.pictures[n] for n in numbers))
        demand(len(found) == len(numbers), f"{len(found)} answers to {len(numbers)} pictures")
        for one, number in zip(found, numbers, strict=True):
            self.right(one, number)

    def do_leave_a_stream(self) -> None:
        number = self.pick()
        stream: Any = self.detector.stream([self.pictures[number]] * 3)
        self.right(next(stream), number)
        with self.refused(AcceleratorBusy):
            self.detector.detect(self.pictures[number])
        stream.close()

    def do_poll(self) -> None:
        """STATUS is idle or done, or, where a frame was left under way, busy until it is done; and stays so."""
        seen = []
        for _ in range(self.noise.randrange(1, 20)):
            seen.append(self.board.register_read(Register.STATUS))
            self.board.simulated.advance(self.noise.randrange(1, 50))
        ended = [status for status in seen if status != 1]
        demand(seen == [1] * (len(seen) - len(ended)) + ended and set(ended) in (set(), {0}, {2}), f"STATUS was {seen}")

    def do_poll_mid_frame(self) -> None:
        """A frame is started by hand and watched: busy, then done, then right."""
        number, slot = self.pick(), self.detector._slots[0]
        slot.write(self.pictures[number])
        self.detector._begin(slot)
        seen = [1]
        while seen[-1] == 1 and len(seen) < 10_000:
            self.board.simulated.advance(self.noise.randrange(1, 500))
            seen.append(self.board.register_read(Register.STATUS))
        demand(seen[-1] == 2, f"STATUS is {seen[-1]} after a frame")
        self.right(self.detector._decode(slot), number)

    def do_reset(self) -> None:
        self.detector.reset()
        self.idle()

    def do_reset_mid_frame(self) -> None:
        self.begun()
        self.detector.reset()
        self.idle()

    def do_leave_a_frame(self) -> None:
        self.begun()

    def do_write_registers_mid_frame(self) -> None:
        self.begun()
        if self.board.register_read(Register.STATUS) & 1:
            for register in (Register.PROGRAM, Register.COUNT, Register.BASE):
                held = self.board.register_read(register)
                self.board.register_write(register, self.noise.getrandbits(32))
                if self.board.register_read(Register.STATUS) & 1:
                    demand(self.board.register_read(register) == held, f"{register.name} changed while busy")
            self.board.register_write(Register.CONTROL, 1)  # a start while busy is none

    def do_reopen(self) -> None:
        self.detector.close()
        with self.refused(BufferFreed):
            self.detector.detect(self.pictures[0])
        self.detector = self.opened()

    # -- what is refused

    def do_wrong_size(self) -> None:
        with self.refused(FrameError):
            self.detector.detect(np.zeros(self.noise.choice(SHAPES), np.uint8))

    def do_wrong_size_in_a_stream(self) -> None:
        with self.refused(FrameError):
            list(self.detector.stream([self.pictures[self.pick()], np.zeros((SIDE, SIDE, 3), np.int8)]))

    def do_freed_buffer(self) -> None:
        for slot in self.detector._slots:
            slot.free()
        with self.refused(BufferFreed):
            self.detector.detect(self.pictures[0])
        with self.refused(BufferFreed):
            self.detector.reset()
        self.do_reopen()

    # -- what fails

    def do_read_error(self) -> None:
        where = self.what.image if self.what.inputs is None else self.what.inputs.planes[0]
        source = self.noise.choice([0, self.what.weights_address, where])
        self.inject(source, source + 64 * self.noise.randrange(1, 9))
        self.fails(ReadFault, 3, self.noise.randrange(3))
        self.inject(0, 0)

    def do_write_error(self) -> None:
        target = self.noise.choice(list(self.what.outputs.values())).planes[0]
        self.inject(target, target + 64)
        self.fails(WriteFault, 4, self.noise.randrange(3))
        self.inject(0, 0)

    def do_error_that_passes(self) -> None:
        """The first run meets an error, the second does not."""
        self.detector.reset()  # a frame that was left would be reset, and the error with it, before the run
        self.inject(0, 64)
        self.detector.faults.clear()
        number = self.pick()
        with _at_reset(self.board, lambda: self.inject(0, 0)):
            self.right(self.detector.detect(self.pictures[number]), number)
        codes = [getattr(fault, "code", None) for fault in self.detector.faults]
        demand(codes == [3], f"codes {codes} instead of [3]")

    def do_error_mid_frame(self) -> None:
        """Memory begins to fail while a frame runs: it faults, or was already past it."""
        self.begun()
        low = self.board.simulated.base
        self.board.simulated.inject_errors(low, low + self.board.simulated.buffer.size)
        try:
            self.detector._accelerator.wait(SECONDS)
        except (ReadFault, WriteFault) as fault:
            demand(fault.code in (3, 4), f"code {fault.code}")
            self.report(fault)
        self.inject(0, 0)
        self.detector.reset()

    def do_overwritten_program(self) -> None:
        at = self.detector._slots[0].address - self.board.simulated.base + 64 * self.noise.randrange(self.what.instructions)
        self.board.simulated.buffer[at] = self.noise.choice(NO_OPCODES)
        self.detector.faults.clear()
        number = self.pick()
        self.right(self.detector.detect(self.pictures[number]), number)
        demand([type(fault) for fault in self.detector.faults] == [OpcodeFault], "not one OpcodeFault")

    def do_timeout(self) -> None:
        self.detector.seconds = self.noise.choice([0.0, 1e-6, 1e-5])
        self.fails(AcceleratorTimeout, None, self.noise.randrange(2))
        self.detector.seconds = SECONDS

    def do_watchdog(self) -> None:
        self.detector.watchdog = self.noise.choice([1, 5, 20])
        self.fails(WatchdogFault, 5, self.noise.randrange(2))
        self.detector.watchdog = WATCHDOG


OPERATIONS = tuple(sorted(name.removeprefix("do_") for name in vars(Session) if name.startswith("do_")))


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


@contextmanager
def _at_reset(board: VirtualBoard, then: Callable[[], None]) -> Iterator[None]:
    """Do ``then`` when a soft reset is written."""
    write = board.register_write

    def hooked(offset: int, value: int) -> None:
        if offset == Register.CONTROL and value == 2:
            then()
        write(offset, value)

    board.register_write = hooked  # type: ignore[method-assign]
    try:
        yield
    finally:
        board.register_write = write  # type: ignore[method-assign]
