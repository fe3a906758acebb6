# SPDX-License-Identifier: Apache-2.0
"""Amaranth views of the instruction tables of `codesign.program.isa`, and the payloads of the streams."""

from __future__ import annotations

from amaranth import signed, unsigned
from amaranth.lib import data

from codesign.program import isa
from codesign.program.config import AcceleratorConfig


def _struct(fields: tuple[tuple[str, int], ...]) -> data.StructLayout:
    return data.StructLayout({name: signed(-w) if w < 0 else unsigned(w) for name, w in fields})


def instruction(opcode: isa.Opcode) -> data.StructLayout:
    """Header and body of ``opcode``; view the low bits of a 512-bit queue entry through it."""
    return _struct(isa.fields(opcode))


HEADER = _struct(isa.HEADER)

ADDRESS_BITS = 16  # scratchpad word address


def write_payload(config: AcceleratorConfig) -> data.StructLayout:
    """One scratchpad write: lane i of ``data`` is written when bit i of ``mask`` is set."""
    return data.StructLayout({"addr": ADDRESS_BITS, "data": 8 * config.lanes, "mask": config.lanes})
