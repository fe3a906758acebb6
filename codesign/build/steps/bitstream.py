# SPDX-License-Identifier: Apache-2.0
"""bitstream: for ECP5 by open tools; for Zynq everything Vivado needs, in vivado/, and its run where Vivado is on the PATH."""

from __future__ import annotations

import shutil

from codesign.build.artefacts import text_hash
from codesign.build.children import Child
from codesign.build.step import DONE, FAILED, PORTS, SKIPPED, SYNTHESIS_RTL, Context, Outcome, Step
from codesign.build.steps import open_bitstream
from codesign.build.steps.open_bitstream import OpenFlow
from codesign.vivado import hand_over

FOLDER, OVERLAY = "vivado", ("overlay/codesign.bit", "overlay/codesign.hwh")


class BitstreamStep(Step):
    name = "bitstream"
    sources = ("codesign/vivado", "codesign/ecp5", "codesign/selftest", "hw", "codesign/build/unify.py", "codesign/build/worker.py")

    def __init__(self) -> None:
        self._child: Child | None = None
        self._open = OpenFlow()

    def inputs(self, context: Context) -> dict[str, str]:
        board = context.board
        self.outputs = (open_bitstream.FILE,) if board.device.family == "ecp5" else OVERLAY
        pins = board.constraints.read_text() if board.constraints else ""
        about = text_hash(board.vivado, board.ecp5, pins, board.device.part, board.clock_mhz, board.accelerator, shutil.which("vivado"))
        return {SYNTHESIS_RTL: context.hash(SYNTHESIS_RTL), PORTS: context.hash(PORTS), "board": about}

    def run(self, context: Context) -> Outcome:
        if context.board.device.family == "ecp5":
            return self._open.run(context)
        if context.board.vivado is None:
            return Outcome(SKIPPED, "no bitstream: the board's file has no [vivado] table")
        folder = context.path(FOLDER)
        hand_over(context.board, folder, context.path(SYNTHESIS_RTL).read_text(), context.path(PORTS).read_text())
        vivado = shutil.which("vivado")
        if vivado is None:
            context.log(f"what Vivado needs is in {folder}/: vivado -mode batch -source build.tcl")
            return Outcome(SKIPPED, "no bitstream: Vivado not found")
        for name in OVERLAY:
            context.path(name).unlink(missing_ok=True)
        context.progress("Vivado is at work")
        self._child = Child([vivado, "-mode", "batch", "-nojournal", "-nolog", "-source", "build.tcl"], folder / "vivado.log", folder)
        code = self._child.wait()
        if code:
            return Outcome(FAILED, f"Vivado ended with {code}: {self._child.last_line()}; see {self._child.log}")
        missing = [name for name in OVERLAY if not context.path(name).is_file()]
        if missing:
            return Outcome(FAILED, f"Vivado wrote no {' and no '.join(missing)}; see {self._child.log}")
        size = context.path(OVERLAY[0]).stat().st_size
        return Outcome(DONE, f"{OVERLAY[0]}, {size:,} bytes, timing met at {context.board.clock_mhz:g} MHz by Vivado's analysis")

    def cancel(self) -> None:
        self._open.cancel()
        if self._child is not None:
            self._child.end()
