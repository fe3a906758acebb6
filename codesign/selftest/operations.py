# SPDX-License-Identifier: Apache-2.0
"""Random operations of the driver on a virtual board: right, wrong and interrupted ones.

After each the driver must be usable; what it reports is checked by its class and code. Time is simulated, so a wait that
never ended would be an `AcceleratorTimeout`; the memory model ends the run where the accelerator breaks a rule of AXI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from codesign.program.registers import Register
from codesign.runtime import (
    AcceleratorBusy,
    AcceleratorTimeout,
    BufferFreed,
    FrameError,
    OpcodeFault,
    ReadFault,
    WatchdogFault,
    WriteFault,
)
from codesign.selftest.network import SIDE
from codesign.selftest.session import SECONDS, WATCHDOG, Session, demand
from codesign.virtual import VirtualBoard

NO_OPCODES = (0x00, 0x0F, 0x9D)  #: no instruction has these numbers
SHAPES = ((16, SIDE, 3), (SIDE, SIDE), (SIDE, SIDE, 5), (SIDE, SIDE, 1), (0, SIDE, 3), (SIDE + 1, SIDE, 3))


class Operations(Session):
    """The operations are the methods called ``do_...``; each leaves a driver that can be used."""

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


OPERATIONS = tuple(sorted(name.removeprefix("do_") for name in vars(Operations) if name.startswith("do_")))


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
