# SPDX-License-Identifier: Apache-2.0
"""rtl: the accelerator's Verilog and its port list.

One file serves simulation and synthesis: its ``mon_*`` outputs only show what happens inside; synthesis drops them.
"""

from __future__ import annotations

from codesign.build.artefacts import text_hash, write_whole
from codesign.build.step import DONE, PORTS, RTL, Context, Outcome, Step


class RtlStep(Step):
    name = "rtl"
    outputs = (RTL, PORTS)
    sources = ("hw", "codesign/program")

    def inputs(self, context: Context) -> dict[str, str]:
        return {"accelerator": text_hash(context.board.accelerator)}

    def run(self, context: Context) -> Outcome:
        from hw.generate import port_list, verilog

        config = context.board.accelerator
        context.progress("generating Verilog")
        text = verilog(config, monitors=True)
        write_whole(context.path(RTL), text)
        write_whole(context.path(PORTS), port_list(config, monitors=True))
        reason = (
            f"{text.count(chr(10)):,} lines of Verilog; {config.lanes} x {config.array_out} array, "
            f"{config.depthwise_units} depthwise units, {config.spad_words * config.lanes // 1024} KiB scratchpad"
        )
        return Outcome(DONE, reason)
