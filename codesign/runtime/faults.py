# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, one class each. Every message is one line with a remedy; a fault carries its code."""

from __future__ import annotations

from typing import Sequence

from codesign.errors import UserError
from codesign.program.isa import Fault


class DriverError(UserError):
    """Anything the driver refuses or reports."""


class PackageError(DriverError):
    """The deployment zip is damaged, foreign or not for this device; nothing was started."""


class WrongAccelerator(DriverError):
    """The device's identity or shape is not the package's."""


class FrameError(DriverError):
    """A picture of another size or type than the network takes."""


class BufferFreed(DriverError):
    """Memory was used after it was freed, or the detector after it was closed."""


class AcceleratorBusy(DriverError):
    """Something else is using this detector."""


class AcceleratorTimeout(DriverError):
    """Neither done nor fault, or no end of a reset, within the time allowed. ``seconds`` on the device's clock."""

    def __init__(self, message: str, seconds: float):
        super().__init__(message)
        self.seconds = seconds


class CorruptMemory(DriverError):
    """Program or weights in memory are not the package's; what was computed with them cannot be trusted."""


class AcceleratorFault(DriverError):
    """The accelerator stopped: ``code`` (`codesign.program.isa.Fault`), ``engine`` and ``index`` of the instruction."""

    meaning = "a code this driver does not know"
    remedy = "use the driver out of the accelerator's own package"

    def __init__(self, code: int, engine: int, index: int, name: str):
        label = Fault(code).name if code in set(map(int, Fault)) else "unknown"
        where = f"engine {name}, instruction {index}"
        super().__init__(f"fault {label} ({code}) in {where}: {self.meaning}; {self.remedy}")
        self.code, self.engine, self.index = code, engine, index


class OpcodeFault(AcceleratorFault):
    """Fault.OPCODE."""

    meaning = "unknown instruction"
    remedy = "the program in memory was overwritten or is another accelerator's"


class AddressFault(AcceleratorFault):
    """Fault.ADDRESS."""

    meaning = "scratchpad address out of range, or a store outside the write window"
    remedy = "the program in memory was overwritten or is another accelerator's"


class ReadFault(AcceleratorFault):
    """Fault.READ."""

    meaning = "memory answered a read with an error"
    remedy = "check that the address map reaches the buffers"


class WriteFault(AcceleratorFault):
    """Fault.WRITE."""

    meaning = "memory answered a write with an error"
    remedy = "check that the address map reaches the buffers"


class WatchdogFault(AcceleratorFault):
    """Fault.WATCHDOG."""

    meaning = "no instruction ended for the watchdog's time"
    remedy = "memory is slower than the watchdog allows, or the program was overwritten"


class UnsupportedFault(AcceleratorFault):
    """Fault.UNSUPPORTED."""

    meaning = "an instruction this accelerator does not execute"
    remedy = "the program in memory was overwritten or is another accelerator's"


FAULTS: dict[int, type[AcceleratorFault]] = {
    int(Fault.OPCODE): OpcodeFault,
    int(Fault.ADDRESS): AddressFault,
    int(Fault.READ): ReadFault,
    int(Fault.WRITE): WriteFault,
    int(Fault.WATCHDOG): WatchdogFault,
    int(Fault.UNSUPPORTED): UnsupportedFault,
}


def fault_of(word: int, engines: Sequence[str]) -> AcceleratorFault:
    """The exception for a value of the FAULT register; ``engines`` are their names by number."""
    code, engine, index = word & 0xFF, word >> 8 & 0xF, word >> 16
    name = engines[engine] if engine < len(engines) else str(engine)
    return FAULTS.get(code, AcceleratorFault)(code, engine, index, name)
