# SPDX-License-Identifier: Apache-2.0
"""A device that keeps what is asked of its registers, to compare with the documented map."""

from __future__ import annotations

from typing import Any, NamedTuple

from codesign.program.registers import Register

NAMES = {int(register): register.name for register in Register}


class Access(NamedTuple):
    """One register access: ``kind`` is "read" or "write"."""

    kind: str
    register: str
    value: int


def name_of(offset: int) -> str:
    """The register at a byte offset; ``?0x..`` where the map has none."""
    if offset >= Register.COUNTERS and offset < Register.COUNTERS + 256:
        return Register.COUNTERS.name
    return NAMES.get(int(offset), f"?{int(offset):#x}")


class Traced:
    """``device`` with its register accesses in ``trace``, oldest first; everything else is the device's own."""

    def __init__(self, device: Any):
        self.device = device
        self.trace: list[Access] = []

    def register_read(self, offset: int) -> int:
        value = self.device.register_read(offset)
        self.trace.append(Access("read", name_of(offset), value))
        return value

    def register_write(self, offset: int, value: int) -> None:
        self.device.register_write(offset, value)
        self.trace.append(Access("write", name_of(offset), value))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.device, name)
