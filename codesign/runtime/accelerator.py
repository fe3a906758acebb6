# SPDX-License-Identifier: Apache-2.0
"""The register protocol: identify, start, wait, reset. docs/driver.md shows every access."""

from __future__ import annotations

from typing import Sequence

from codesign.program.registers import IDENTITY, Register
from codesign.runtime.device import Device
from codesign.runtime.faults import AcceleratorBusy, AcceleratorTimeout, WrongAccelerator, fault_of

START, SOFT_RESET = 1, 2  #: values of CONTROL
BUSY, DONE, FAULT = 1, 2, 4  #: bits of STATUS
POLL_SECONDS = 0.0002  #: between two looks at STATUS
RESET_SECONDS = 0.1  #: a reset waits for outstanding bursts, at most 24 of 16 beats


class Accelerator:
    """One accelerator behind ``device``; ``engines`` are their names by number."""

    def __init__(self, device: Device, engines: Sequence[str]):
        self._device, self._engines = device, engines

    def identify(self, shape: int) -> None:
        """Raise `WrongAccelerator` unless the device is an accelerator of this SHAPE."""
        identity = self._device.register_read(Register.ID)
        if identity != IDENTITY:
            raise WrongAccelerator(
                f"register ID reads {identity:#010x}, an accelerator {IDENTITY:#010x}; load the package's overlay"
            )
        found = self._device.register_read(Register.SHAPE)
        if found != shape:
            raise WrongAccelerator(
                f"register SHAPE reads {found:#010x}, the package is for {shape:#010x}; package it for this overlay"
            )

    @property
    def busy(self) -> bool:
        return bool(self._device.register_read(Register.STATUS) & BUSY)

    def start(self, program: int, count: int, base: int, watchdog: int, writable: tuple[int, int]) -> None:
        """Begin ``count`` instructions at ``program`` of the memory at ``base``, whose bytes ``writable`` (first, end) stores
        may write. Raises `AcceleratorBusy`."""
        if self.busy:
            raise AcceleratorBusy("the accelerator is running; reset() it first")
        write = self._device.register_write
        write(Register.PROGRAM, program)
        write(Register.COUNT, count)
        write(Register.BASE, base)
        write(Register.WATCHDOG, watchdog)
        write(Register.WRITE_LOW, writable[0])
        write(Register.WRITE_HIGH, writable[1])
        write(Register.IRQ, 1)
        write(Register.CONTROL, START)

    def finished(self) -> bool:
        """Whether the program is done. Raises an `AcceleratorFault` where it stopped with a fault."""
        status = self._device.register_read(Register.STATUS)
        if status & FAULT:
            raise fault_of(self._device.register_read(Register.FAULT), self._engines)
        return bool(status & DONE)

    def wait(self, seconds: float) -> None:
        """Return when done; raises an `AcceleratorFault`, or `AcceleratorTimeout` after ``seconds``."""
        began = self._device.now()
        while not self.finished():
            spent = self._device.now() - began
            if spent >= seconds:
                raise AcceleratorTimeout(f"neither done nor fault after {spent:.3f} s; reset() and try again", spent)
            self._device.pause(min(POLL_SECONDS, seconds - spent))

    def reset(self, seconds: float = RESET_SECONDS) -> None:
        """Stop whatever runs; idle afterwards. Raises `AcceleratorTimeout` where memory never answers."""
        self._device.register_write(Register.CONTROL, SOFT_RESET)
        began = self._device.now()
        while self.busy:
            spent = self._device.now() - began
            if spent >= seconds:
                raise AcceleratorTimeout(
                    f"a reset did not end within {spent:.3f} s: memory does not answer; load the overlay again", spent
                )
            self._device.pause(min(POLL_SECONDS, seconds - spent))

    @property
    def cycles(self) -> int:
        """Clock cycles of the last frame, from the start write to done."""
        return self._device.register_read(Register.CYCLES)
