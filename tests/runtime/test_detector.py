# SPDX-License-Identifier: Apache-2.0
"""The driver on the virtual board: golden's boxes, digit for digit, and every fault by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codesign.program.registers import Register
from codesign.runtime import (
    AcceleratorBusy,
    AcceleratorTimeout,
    BufferFreed,
    CorruptMemory,
    Detector,
    DriverError,
    FrameError,
    OpcodeFault,
    ReadFault,
    WatchdogFault,
    WriteFault,
    WrongAccelerator,
)
from codesign.runtime.slot import Slot
from codesign.virtual import VirtualBoard
from tests.runtime import small


def test_detect_is_golden(detector: Detector) -> None:
    assert (detector.size, detector.labels) == ((32, 32), ("cat", "dog", "bird"))
    for picture in small.pictures(3, 1):
        found = detector.detect(picture)
        assert small.same(found, small.golden(picture)) and len(found.scores) > 5
    assert detector.cycles > 1000 and not detector.faults


def test_stream_is_golden_in_order(detector: Detector) -> None:
    for count in (0, 1, 2, 5):
        pictures = small.pictures(count, count)
        found = list(detector.stream(iter(pictures)))
        assert [small.same(f, small.golden(p)) for f, p in zip(found, pictures, strict=True)] == [True] * count


def test_stream_prepares_and_decodes_while_the_accelerator_runs(detector: Detector, board: VirtualBoard, monkeypatch) -> None:
    """What the processor does takes time, in which the other frame runs on: nothing may wait for it, nothing may be torn."""
    running = []

    def slowly(name: str) -> None:
        work = getattr(Slot, name)

        def wrapped(self: Slot, *arguments: object) -> object:
            running.append((name, board.register_read(Register.STATUS) & 1))
            board.simulated.advance(500)
            answer = work(self, *arguments)
            board.simulated.advance(700)
            return answer

        monkeypatch.setattr(Slot, name, wrapped)

    slowly("write")
    slowly("heat")
    pictures = small.pictures(4, 9)
    found = list(detector.stream(pictures))
    assert all(small.same(f, small.golden(p)) for f, p in zip(found, pictures, strict=True))
    assert running == [("write", 0), ("write", 1), ("heat", 1), ("write", 1), ("heat", 1), ("write", 1), ("heat", 1), ("heat", 0)]


def test_a_stream_left_early_leaves_the_detector_usable(detector: Detector, board: VirtualBoard) -> None:
    pictures = small.pictures(4, 3)
    stream = detector.stream(pictures)
    assert small.same(next(stream), small.golden(pictures[0]))
    with pytest.raises(AcceleratorBusy, match="not finished"):
        detector.detect(pictures[0])
    stream.close()
    assert not board.register_read(Register.STATUS) & 1
    assert small.same(detector.detect(pictures[3]), small.golden(pictures[3]))


@pytest.mark.parametrize(
    "picture",
    [np.zeros((32, 33, 3), np.uint8), np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.float32), np.zeros((32, 32, 5), np.uint8), None],
)
def test_a_picture_of_another_kind_is_refused(picture: object, detector: Detector) -> None:
    with pytest.raises(FrameError, match=r"network takes uint8 \(32, 32, 3\)"):
        detector.detect(picture)
    good = small.pictures(1)[0]
    with pytest.raises(FrameError):
        list(detector.stream([good, picture]))
    assert small.same(detector.detect(good), small.golden(good))


def test_four_bytes_a_pixel_give_the_same_boxes(detector: Detector) -> None:
    picture = small.pictures(1, 4)[0]
    noise = np.random.default_rng(1).integers(0, 256, (*picture.shape[:2], 1), np.uint8)
    assert small.same(detector.detect(np.concatenate([picture, noise], axis=2)), small.golden(picture))


def test_errors_of_memory_are_faults_with_code_engine_and_instruction(detector: Detector, board: VirtualBoard) -> None:
    picture, what = small.pictures(1)[0], detector.package.description
    detector.retries = 0
    detector.detect(picture)
    base = board.simulated.base
    written = what.outputs["hm"].planes[0]
    for at, error, code, engine in ((0, ReadFault, 3, 0), (what.weights_address, ReadFault, 3, 2), (written, WriteFault, 4, 1)):
        board.simulated.inject_errors(base + at, base + at + 64)
        with pytest.raises(error) as caught:
            detector.detect(picture)
        assert (caught.value.code, caught.value.engine) == (code, engine)
        assert 0 <= caught.value.index < what.instructions and "\n" not in str(caught.value)
        board.simulated.inject_errors(0, 0)
        assert small.same(detector.detect(picture), small.golden(picture))
    assert [fault.code for fault in detector.faults] == [3, 3, 4]


def test_a_damaged_program_is_put_back_and_the_frame_run_again(detector: Detector, board: VirtualBoard) -> None:
    picture = small.pictures(1)[0]
    board.simulated.buffer[:64] = 0
    assert small.same(detector.detect(picture), small.golden(picture))
    (fault,) = detector.faults
    assert isinstance(fault, OpcodeFault) and (fault.code, fault.index) == (1, 0)


def test_a_flipped_weight_is_found_by_the_check_alone(detector: Detector, board: VirtualBoard) -> None:
    picture, what = small.pictures(1)[0], detector.package.description
    at = what.weights_address + len(detector.package.weights) - 8
    detector.check = 2
    for _ in range(2):
        assert small.same(detector.detect(picture), small.golden(picture))
    assert not detector.faults
    board.simulated.buffer[at] ^= 1
    detector.detect(picture)  # not looked at
    assert not detector.faults
    assert small.same(detector.detect(picture), small.golden(picture))
    assert [type(fault) for fault in detector.faults] == [CorruptMemory]
    detector.retries, detector.check = 0, 1
    board.simulated.buffer[at] ^= 1
    with pytest.raises(CorruptMemory, match="written anew"):
        detector.detect(picture)
    assert small.same(detector.detect(picture), small.golden(picture))


def test_a_frame_that_takes_too_long_is_a_timeout_or_the_watchdogs(detector: Detector) -> None:
    picture = small.pictures(1)[0]
    detector.seconds, detector.retries = 1e-5, 2
    with pytest.raises(AcceleratorTimeout, match="reset") as caught:
        detector.detect(picture)
    assert caught.value.seconds >= 1e-5 and len(detector.faults) == 3
    detector.seconds, detector.watchdog = 1.0, 10
    with pytest.raises(WatchdogFault) as bitten:
        detector.detect(picture)
    assert bitten.value.code == 5
    detector.watchdog = 100_000
    assert small.same(detector.detect(picture), small.golden(picture))


def test_a_frame_under_way_is_reset(detector: Detector, board: VirtualBoard) -> None:
    picture = small.pictures(1)[0]
    detector._begin(detector._slots[0])
    board.simulated.advance(1500)
    detector.reset()
    assert board.register_read(Register.STATUS) == 0
    detector._begin(detector._slots[0])  # left running, as by Ctrl-C in a wait
    board.simulated.advance(500)
    assert small.same(detector.detect(picture), small.golden(picture))


def test_stalls_change_nothing(package: Path, make_board: Callable[..., VirtualBoard]) -> None:
    picture = small.pictures(1, 5)[0]
    with Detector.from_package(str(package), make_board(stall=0.5, seed=3)) as detector:
        assert small.same(detector.detect(picture), small.golden(picture))


def test_freed_memory_and_closed_detectors_are_named(package: Path, board: VirtualBoard) -> None:
    picture = small.pictures(1)[0]
    detector = Detector.from_package(str(package), board)
    detector._slots[0].free()
    with pytest.raises(BufferFreed, match="freed"):
        detector.detect(picture)
    detector.close()
    detector.close()
    for use in (lambda: detector.detect(picture), detector.reset, lambda: next(detector.stream([picture]))):
        with pytest.raises(BufferFreed, match="closed"):
            use()


def test_memory_is_given_back(package: Path, board: VirtualBoard) -> None:
    first = board.allocate(4096)
    second = board.allocate(1)
    first.free()
    first.free()
    assert board.allocate(4000).address == first.address
    assert second.address == first.address + 4096
    with pytest.raises(DriverError, match="not free"):
        board.allocate(1 << 21)


def test_another_accelerator_is_refused(package: Path, board: VirtualBoard, monkeypatch) -> None:
    for register, value, says in ((Register.ID, 0, "overlay"), (Register.SHAPE, 0x1234, "package it for this overlay")):
        read = board.register_read
        monkeypatch.setattr(board, "register_read", lambda at, r=register, v=value, read=read: v if at == r else read(at))
        with pytest.raises(WrongAccelerator, match=says):
            Detector.from_package(str(package), board)
        monkeypatch.undo()
