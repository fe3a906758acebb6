# SPDX-License-Identifier: Apache-2.0
"""The bitstream of an ECP5 board: the self test of `codesign.ecp5`, placed and routed by open tools."""

from __future__ import annotations

from typing import Any

from codesign.build.step import DONE, FAILED, SKIPPED, Context, Outcome
from codesign.ecp5 import BIT, Bitstream, Failed, Flow, missing_tool

FOLDER = "ecp5"
FILE = f"{FOLDER}/{BIT}"
WHAT = "the board's accelerator and a frame in block RAM; it compares its outputs with golden's digest (docs/ecp5.md)"
TOOL = "placed and routed by nextpnr-ecp5 (yowasp), timing as it analyses it"


class OpenFlow:
    """One run; `cancel` ends the tool at work."""

    def __init__(self) -> None:
        self._flow: Flow | None = None

    def run(self, context: Context) -> Outcome:
        """Done with Fmax and utilisation, failed where a tool fails or the clock is missed, skipped where a tool is missing."""
        if context.board.ecp5 is None or context.board.constraints is None:
            return Outcome(SKIPPED, "no bitstream: the board's file has no [ecp5] and [constraints] tables")
        if missing := missing_tool():
            return Outcome(SKIPPED, f"no bitstream: {missing}")
        self._flow = Flow(context.board, context.path(FOLDER), context.progress)
        try:
            made = self._flow.run()
        except Failed as error:
            return Outcome(FAILED, str(error))
        if not made.met:
            made.file.unlink()
            return Outcome(FAILED, f"timing is not met: {made.fmax_mhz:g} MHz, clock.mhz is {made.clock_mhz:g}; lower it "
                                   f"(--board {context.board.name}:mhz={int(made.fmax_mhz)})")  # fmt: skip
        return Outcome(DONE, summary(made), facts(made))

    def cancel(self) -> None:
        if self._flow is not None:
            self._flow.end()


def facts(made: Bitstream) -> dict[str, Any]:
    """The report's ``bitstream``."""
    return {
        "file": FILE, "bytes": made.bytes, "fmax_mhz": made.fmax_mhz, "clock_mhz": made.clock_mhz, "used": made.used,
        "available": made.available, "what": WHAT, "tool": TOOL,
    }  # fmt: skip


def summary(made: Bitstream) -> str:
    """One line."""
    used = ", ".join(f"{made.used[key]:,} of {limit:,} {key.upper()}" for key, limit in made.available.items())
    return f"{FILE}, {made.bytes:,} bytes, a self test: Fmax {made.fmax_mhz:.1f} MHz for {made.clock_mhz:g} MHz by nextpnr, {used}"
