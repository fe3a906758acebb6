# SPDX-License-Identifier: Apache-2.0
"""rtl: the accelerator's Verilog and its port list.

Two forms, equal cycle by cycle (`hw.array`): the one that is simulated, with ``mon_*`` outputs that only show what
happens inside, and the one that is synthesised, whose multipliers are laid out for the device.
"""

from __future__ import annotations

import sys

from codesign.build.artefacts import text_hash, write_whole
from codesign.build.children import Child
from codesign.build.step import DONE, PORTS, RTL, SYNTHESIS_RTL, Context, Outcome, Step
from codesign.build.worker import array_layout
from codesign.errors import UserError


class RtlStep(Step):
    name = "rtl"
    outputs = (RTL, SYNTHESIS_RTL, PORTS)
    sources = ("hw", "codesign/program", "codesign/build/worker.py")

    def __init__(self) -> None:
        self._child: Child | None = None

    def inputs(self, context: Context) -> dict[str, str]:
        return {"accelerator": text_hash(context.board.accelerator, array_layout(context.board))}

    def run(self, context: Context) -> Outcome:
        from hw.generate import port_list, verilog

        config = context.board.accelerator
        context.progress("generating Verilog")
        self._begin_synthesis_form(context)
        text = verilog(config, monitors=True)
        write_whole(context.path(RTL), text)
        write_whole(context.path(PORTS), port_list(config, monitors=True))
        self._end_synthesis_form()
        reason = (
            f"{text.count(chr(10)):,} lines of Verilog; {config.lanes} x {config.array_out} array, "
            f"{config.depthwise_units} depthwise units, {config.spad_words * config.lanes // 1024} KiB scratchpad"
        )
        return Outcome(DONE, reason)

    def _begin_synthesis_form(self, context: Context) -> None:
        """In a process of its own: each form takes a core some seconds."""
        target = context.path(SYNTHESIS_RTL).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "codesign.build.worker", context.board.spec, str(target)]
        self._child = Child(command, target.parent / "generate.log")

    def _end_synthesis_form(self) -> None:
        child = self._child
        if child is not None and child.wait():
            raise UserError(f"generating the Verilog to synthesise failed: {child.last_line()}; see {child.log}")

    def cancel(self) -> None:
        if self._child is not None:
            self._child.end()
