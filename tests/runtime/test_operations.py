# SPDX-License-Identifier: Apache-2.0
"""Random driver operations on the virtual board: no hang, no wrong result, every fault by its code.

A campaign is its seed. Time is simulated, so a wait that never ended would be an `AcceleratorTimeout`; the memory model ends
the run where the accelerator breaks a rule of AXI.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from codesign.program.registers import Register
from codesign.runtime import (
    AcceleratorBusy,
    AcceleratorTimeout,
    BufferFreed,
    Detector,
    FrameError,
    OpcodeFault,
    ReadFault,
    WatchdogFault,
    WriteFault,
)
from tests.runtime import small

PICTURES = small.pictures(6, 40)
GOLDEN = [small.golden(picture) for picture in PICTURES]
STALLS = (0.0, 0.2, 0.6)
SESSION = 50  #: operations a board is used for


class Session:
    """A board with its stalls, and the detector on it; operations are the methods called ``do_...``."""

    def __init__(self, package: Path, noise: random.Random, number: int):
        self.package, self.noise = package, noise
        self.board = small.virtual_board(stall=STALLS[number % len(STALLS)], seed=number)
        self.detector = self.opened()

    def opened(self) -> Detector:
        detector = Detector.from_package(str(self.package), self.board, seconds=0.05, watchdog=50_000)
        self.board.close, self.close_board = (lambda: None), self.board.simulated.close  # the board outlives detectors
        return detector

    @property
    def what(self):
        return self.detector.package.description

    def pick(self) -> int:
        return self.noise.randrange(len(PICTURES))

    def check(self) -> None:
        """The next frame is right, whatever was done before, and without another fault."""
        number, before = self.pick(), len(self.detector.faults)
        assert small.same(self.detector.detect(PICTURES[number]), GOLDEN[number])
        assert len(self.detector.faults) == before

    def begun(self) -> None:
        """A frame under way, some cycles in."""
        slot = self.detector._slots[0]
        slot.write(PICTURES[self.pick()])
        self.detector._begin(slot)
        self.board.simulated.advance(self.noise.randrange(1, 5000))

    def fails(self, error: type, code: int | None = None, retries: int = 0) -> None:
        """A frame raises ``error`` with its code, after so many retries."""
        self.detector.retries = retries
        self.detector.faults.clear()
        with pytest.raises(error) as caught:
            self.detector.detect(PICTURES[self.pick()])
        self.detector.retries = 1
        assert [type(fault) for fault in self.detector.faults] == [error] * (retries + 1)
        if code is not None:
            assert caught.value.code == code
            assert 0 <= caught.value.index <= self.what.instructions and caught.value.engine < len(self.what.engines)

    def do_detect(self) -> None:
        self.check()

    def do_stream(self) -> None:
        numbers = [self.pick() for _ in range(self.noise.randrange(4))]
        found = list(self.detector.stream(PICTURES[n] for n in numbers))
        assert all(small.same(f, GOLDEN[n]) for f, n in zip(found, numbers, strict=True))

    def do_leave_a_stream(self) -> None:
        number = self.pick()
        stream = self.detector.stream([PICTURES[number]] * 3)
        assert small.same(next(stream), GOLDEN[number])
        with pytest.raises(AcceleratorBusy):
            self.detector.detect(PICTURES[number])
        stream.close()

    def do_poll(self) -> None:
        for _ in range(self.noise.randrange(1, 20)):
            assert self.board.register_read(Register.STATUS) in (0, 2)
            self.board.simulated.advance(self.noise.randrange(1, 50))

    def do_reset(self) -> None:
        self.detector.reset()
        assert self.board.register_read(Register.STATUS) == 0

    def do_reset_mid_frame(self) -> None:
        self.begun()
        self.detector.reset()
        assert self.board.register_read(Register.STATUS) == 0

    def do_leave_a_frame(self) -> None:
        self.begun()

    def do_write_registers_mid_frame(self) -> None:
        self.begun()
        if self.board.register_read(Register.STATUS) & 1:
            for register in (Register.PROGRAM, Register.COUNT, Register.BASE):
                held = self.board.register_read(register)
                self.board.register_write(register, self.noise.getrandbits(32))
                if self.board.register_read(Register.STATUS) & 1:
                    assert self.board.register_read(register) == held
            self.board.register_write(Register.CONTROL, 1)  # a start while busy is none

    def do_wrong_size(self) -> None:
        shape = tuple(self.noise.choice([(16, 32, 3), (32, 32), (32, 32, 4), (0, 32, 3), (33, 32, 3)]))
        with pytest.raises(FrameError):
            self.detector.detect(np.zeros(shape, np.uint8))

    def do_wrong_size_in_a_stream(self) -> None:
        number = self.pick()
        with pytest.raises(FrameError):
            list(self.detector.stream([PICTURES[number], np.zeros((32, 32, 3), np.int8)]))

    def do_freed_buffer(self) -> None:
        for slot in self.detector._slots:
            slot.free()
        with pytest.raises(BufferFreed):
            self.detector.detect(PICTURES[0])
        with pytest.raises(BufferFreed):
            self.detector.reset()
        self.do_reopen()

    def do_reopen(self) -> None:
        self.detector.close()
        with pytest.raises(BufferFreed):
            self.detector.detect(PICTURES[0])
        self.detector = self.opened()

    def inject(self, low: int, high: int) -> None:
        base = self.detector._slots[0].address
        self.board.simulated.inject_errors(base + low, base + high)

    def do_read_error(self) -> None:
        source = self.noise.choice([0, self.what.weights_address, self.what.inputs.planes[0]])
        self.inject(source, source + 64 * self.noise.randrange(1, 9))
        self.fails(ReadFault, 3, self.noise.randrange(3))
        self.board.simulated.inject_errors(0, 0)

    def do_write_error(self) -> None:
        target = self.noise.choice(list(self.what.outputs.values())).planes[0]
        self.inject(target, target + 64)
        self.fails(WriteFault, 4, self.noise.randrange(3))
        self.board.simulated.inject_errors(0, 0)

    def do_error_that_passes(self) -> None:
        """The first run meets an error, the second does not."""
        self.inject(0, 64)
        write, self.detector.retries = self.board.register_write, 1

        def mending(offset: int, value: int) -> None:
            if offset == Register.CONTROL and value == 2:
                self.board.simulated.inject_errors(0, 0)
            write(offset, value)

        self.detector.faults.clear()
        self.board.register_write = mending
        number = self.pick()
        assert small.same(self.detector.detect(PICTURES[number]), GOLDEN[number])
        del self.board.register_write
        assert [fault.code for fault in self.detector.faults] == [3]

    def do_error_mid_frame(self) -> None:
        """Memory begins to fail while a frame runs: it faults, or was already past it and is right."""
        self.begun()
        self.board.simulated.inject_errors(self.board.simulated.base, self.board.simulated.base + (1 << 20))
        try:
            self.detector._accelerator.wait(0.05)
        except (ReadFault, WriteFault) as fault:
            assert fault.code in (3, 4)
        self.board.simulated.inject_errors(0, 0)
        self.detector.reset()

    def do_overwritten_program(self) -> None:
        at = self.detector._slots[0].address - self.board.simulated.base + 64 * self.noise.randrange(self.what.instructions)
        self.board.simulated.buffer[at] = self.noise.choice([0x00, 0x0F, 0x9D])  # no opcode has these numbers
        self.detector.faults.clear()
        number = self.pick()
        assert small.same(self.detector.detect(PICTURES[number]), GOLDEN[number])
        assert [type(fault) for fault in self.detector.faults] == [OpcodeFault]

    def do_timeout(self) -> None:
        self.detector.seconds = self.noise.choice([0.0, 1e-6, 1e-5])
        self.fails(AcceleratorTimeout, None, self.noise.randrange(2))
        self.detector.seconds = 0.05

    def do_watchdog(self) -> None:
        self.detector.watchdog = self.noise.choice([1, 5, 20])
        self.fails(WatchdogFault, 5, self.noise.randrange(2))
        self.detector.watchdog = 50_000


OPERATIONS = sorted(name for name in vars(Session) if name.startswith("do_"))


def campaign(package: Path, count: int, seed: int) -> Counter:
    """``count`` operations, each followed by a frame that must be right in one of four cases."""
    noise, done = random.Random(seed), Counter()
    for number in range(-(-count // SESSION)):
        session = Session(package, noise, number)
        try:
            for _ in range(min(SESSION, count - SESSION * number)):
                name = noise.choice(OPERATIONS)
                getattr(session, name)()
                done[name] += 1
                if noise.random() < 0.25:
                    session.check()
            session.check()
        finally:
            session.close_board()
    return done


def test_sixty_random_operations(package: Path) -> None:
    assert sum(campaign(package, 60, 1).values()) == 60


@pytest.mark.slow
def test_a_thousand_random_operations(package: Path) -> None:
    done = campaign(package, 1000, 2)
    assert sum(done.values()) == 1000 and set(done) == set(OPERATIONS)
    print(dict(done))
