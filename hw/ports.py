# SPDX-License-Identifier: Apache-2.0
"""Interfaces between blocks. Streams are `amaranth.lib.stream` (valid, ready, payload)."""

from __future__ import annotations

from amaranth import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from codesign.program import isa
from codesign.program.config import AcceleratorConfig
from codesign.program.registers import Counter
from hw.layouts import ADDRESS_BITS, write_payload


class ScratchpadRead(wiring.Signature):
    """A client's read port: addresses out through ``request``; words come back in order, a fixed time after each
    grant, as ``valid`` and ``data``. There is no back-pressure on data: a client asks only for what it can take."""

    def __init__(self, config: AcceleratorConfig):
        super().__init__(
            {
                "request": Out(stream.Signature(unsigned(ADDRESS_BITS))),
                "valid": In(1),
                "data": In(8 * config.lanes),
            }
        )


class ScratchpadWrite(wiring.Signature):
    """A client's write port; a write is visible to every read requested at least one cycle after its handshake."""

    def __init__(self, config: AcceleratorConfig):
        super().__init__({"request": Out(stream.Signature(write_payload(config)))})


class EngineControl(wiring.Signature):
    """What every engine shows the control block (seen from the engine).

    ``instruction``: 512-bit instructions whose tokens have already been checked (the token gate stands in front).
    ``retire`` pulses for one cycle when an instruction's last effect is visible (scratchpad write handshaken, or
    DRAM write response received), in order; ``retire_index`` is its index. ``fault`` pulses with a
    `codesign.program.isa.Fault` code in ``fault_code``; the faulting instruction is ``fault_index``.
    ``activity`` is one of `Counter` (BUSY, PARAM, MEMORY, DRAIN or IDLE; the gate adds TOKEN), every cycle.
    """

    def __init__(self):
        super().__init__(
            {
                "instruction": In(stream.Signature(unsigned(isa.INSTRUCTION_BITS))),
                "retire": Out(1),
                "retire_index": Out(16),
                "fault": Out(1),
                "fault_code": Out(4),
                "fault_index": Out(16),
                "activity": Out(range(len(Counter))),
            }
        )


#: Parameters of one engine: 64-bit beats in the order the engine consumes them (docs/architecture.md).
ParamStream = stream.Signature(unsigned(64))
