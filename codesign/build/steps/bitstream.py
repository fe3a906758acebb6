# SPDX-License-Identifier: Apache-2.0
"""bitstream: needs the vendor's tool, which this project does without; everything else is finished."""

from __future__ import annotations

import shutil

from codesign.build.step import RTL, SKIPPED, Context, Outcome, Step


class BitstreamStep(Step):
    name = "bitstream"

    def inputs(self, context: Context) -> dict[str, str]:
        return {RTL: context.hash(RTL)}

    def run(self, context: Context) -> Outcome:
        if context.board.device.family == "ecp5":
            return Outcome(SKIPPED, "no bitstream: place and route for this board is not part of the build yet")
        if shutil.which("vivado") is None:
            return Outcome(SKIPPED, "no bitstream: Vivado not found")
        return Outcome(SKIPPED, "no bitstream: a Vivado flow is not part of the build yet")
