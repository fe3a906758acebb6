# SPDX-License-Identifier: Apache-2.0
"""The detector on its accelerator: pictures in, boxes out."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Any, Iterable, Iterator

import numpy as np

from codesign.decode import Detections, decode_at
from codesign.runtime.accelerator import Accelerator
from codesign.runtime.device import Device
from codesign.runtime.faults import (
    AcceleratorBusy,
    AcceleratorFault,
    AcceleratorTimeout,
    BufferFreed,
    CorruptMemory,
    DriverError,
)
from codesign.runtime.opening import open_device
from codesign.runtime.package import Package
from codesign.runtime.slot import Slot

WATCHDOG_CYCLES = 1_000_000  #: without a retired instruction
FRAME_SECONDS = 2.0  #: the longest a frame may take, on the device's clock


class Detector:
    """A detector out of a deployment zip. Use it in one thread; close it, or use ``with``.

    ``retries``: how often a frame that ended with a fault or a timeout is run again, from a reset and with program and
    weights written anew; ``faults`` keeps the last of what happened. ``seconds`` is the longest a frame may take.
    ``check``: after every so many frames program and weights in memory are compared with the package's (0: never); a frame
    after which they differ counts as one that failed.
    """

    def __init__(self, package: Package, device: Device, retries: int = 1, seconds: float = FRAME_SECONDS,
                 watchdog: int = WATCHDOG_CYCLES, check: int = 0):  # fmt: skip
        self.package, self._what = package, package.description
        self.retries, self.seconds, self.watchdog, self.check = retries, seconds, watchdog, check
        self._unchecked = 0  # frames since the last check
        self.faults: deque[DriverError] = deque(maxlen=100)
        self.cycles = 0  #: of the last frame
        self._device, self._slots, self._in_use, self._closed = device, [], False, False
        self._accelerator = Accelerator(device, self._what.engines)
        self._accelerator.identify(self._what.shape)
        self._accelerator.reset()
        self._slots = [Slot(device, package)]
        quantisers = {role: (tensor.scale, tensor.zero_point) for role, tensor in self._what.outputs.items()}
        self._quantisers = quantisers

    @classmethod
    def from_package(cls, path: str, device: str | Device | None = None, **settings: Any) -> Detector:
        """The detector of the zip at ``path``, verified before anything starts.

        ``device``: "pynq", "sim:BOARD" for the virtual board, or a `Device`; by default the environment's
        CODESIGN_BOARD, else "pynq". ``settings`` as in `Detector`. Raises a `DriverError`.
        """
        package = Package.read(str(path))
        mine = device is None or isinstance(device, str)
        opened = open_device(device, package) if device is None or isinstance(device, str) else device
        try:
            return cls(package, opened, **settings)
        except BaseException:
            if mine:
                opened.close()
            raise

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures it takes."""
        return self._what.size

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; empty where the model has none."""
        return self._what.labels

    def detect(self, image: np.ndarray) -> Detections:
        """Boxes of one picture, uint8 RGB (H, W, 3) of `size` or (H, W, 4) with a byte unused; best first, in its pixels."""
        self._claim()
        try:
            slot = self._slot(0)
            slot.write(image)
            self._begin(slot)
            self._finish(slot)
            return self._decode(slot)
        finally:
            self._in_use = False

    def stream(self, frames: Iterable[np.ndarray]) -> Iterator[Detections]:
        """Boxes of every picture, in order: while one runs, the next is prepared and the one before decoded."""
        self._claim()
        running: Slot | None = None
        try:
            for number, image in enumerate(frames):
                slot = self._slot(number % 2)
                slot.write(image)
                before, running = running, None
                if before is not None:
                    running = before
                    self._finish(before)
                self._begin(slot)
                running = slot
                if before is not None:
                    yield self._decode(before)
            if running is not None:
                self._finish(running)
                last, running = running, None
                yield self._decode(last)
        finally:
            self._in_use = False
            if running is not None and not self._closed:
                self._accelerator.reset()

    def reset(self) -> None:
        """Stop the accelerator and put program and weights back; the next frame begins clean."""
        self._open()
        self._accelerator.reset()
        for slot in self._slots:
            slot.restore()

    def close(self) -> None:
        """Stop, free the memory, give the device back. Again is no error."""
        if self._closed:
            return
        self._closed = True
        try:
            self._accelerator.reset()
        finally:
            for slot in self._slots:
                slot.free()
            self._device.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def _open(self) -> None:
        if self._closed:
            raise BufferFreed("the detector was closed; make a new Detector.from_package(...)")

    def _claim(self) -> None:
        self._open()
        if self._in_use:
            raise AcceleratorBusy("a stream of this detector is not finished; finish it or close() it first")
        self._in_use = True

    def _slot(self, number: int) -> Slot:
        while len(self._slots) <= number:
            self._slots.append(Slot(self._device, self.package))
        return self._slots[number]

    def _begin(self, slot: Slot) -> None:
        """Start; what was left running (an interrupted wait) is stopped first."""
        frame = (0, self._what.instructions, slot.address, self.watchdog, slot.writable)
        try:
            self._accelerator.start(*frame)
        except AcceleratorBusy:
            self._accelerator.reset()
            self._accelerator.start(*frame)

    def _finish(self, slot: Slot) -> None:
        """Wait; on a fault or a timeout reset and run the frame again, at most ``retries`` times."""
        for attempt in range(self.retries + 1):
            try:
                self._accelerator.wait(self.seconds)
                self.cycles = self._accelerator.cycles
                self._compare(slot)
                return
            except (AcceleratorFault, AcceleratorTimeout, CorruptMemory) as error:
                self.faults.append(error)
                self._accelerator.reset()
                slot.restore()
                if attempt == self.retries:
                    raise
                self._begin(slot)

    def _compare(self, slot: Slot) -> None:
        """Raise `CorruptMemory` where it is time to look and program or weights have changed."""
        self._unchecked += 1
        if self.check == 0 or self._unchecked < self.check:
            return
        self._unchecked = 0
        if not slot.intact():
            raise CorruptMemory("program or weights in memory have changed since they were written; they are written anew")

    def _decode(self, slot: Slot) -> Detections:
        return decode_at(slot.heat(), slot.code_at, self._quantisers)


def scaled(found: Detections, size: tuple[int, int], picture: tuple[int, int]) -> Detections:
    """Boxes in pixels of a network's input of ``size`` (height, width) as boxes of the ``picture`` stretched to it."""
    (height, width), (tall, wide) = size, picture
    scale = np.array([width / wide, height / tall] * 2)
    boxes = np.clip((found.boxes - np.zeros(4)) / scale, 0, np.array([wide, tall] * 2))
    return Detections(boxes, found.scores, found.labels)
