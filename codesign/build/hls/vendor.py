# SPDX-License-Identifier: Apache-2.0
"""hls: the project through Vivado HLS and Vivado to a bitstream, where they are installed; nothing else needs them."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any

from codesign.build.children import Child
from codesign.build.hls.compile import project_hash
from codesign.build.hls.project import FOLDER
from codesign.build.step import DONE, FAILED, SKIPPED, Context, Outcome, Step
from codesign.hls import PROJECT
from codesign.hls.vendor_tcl import DESIGN, RUN_HLS

#: What turns the project into RTL, by the program's name; the first that is on the PATH.
HLS = {
    "vivado_hls": ("-f", RUN_HLS),
    "vitis_hls": ("-f", RUN_HLS),
    "vitis-run": ("--mode", "hls", "--tcl", RUN_HLS),
}
VIVADO = ("-mode", "batch", "-source", DESIGN)
RTL = f"{FOLDER}/{PROJECT}_prj/solution1/impl/ip"
BITSTREAM = f"{FOLDER}/{PROJECT}_vivado_accelerator/project_1.runs/impl_1/design_1_wrapper.bit"
_UNREADABLE = (OSError, SyntaxError, LookupError, AttributeError, TypeError)  # hls4ml's parser on another version's layout
_ESTIMATES = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM_18K": "bram18", "WorstLatency": "latency", "IntervalMax": "interval"}


class VendorStep(Step):
    name = "hls"

    def __init__(self) -> None:
        self._child: Child | None = None

    def inputs(self, context: Context) -> dict[str, str]:
        tools = {tool: str(shutil.which(tool)) for tool in (*HLS, "vivado")}
        return {"project": project_hash(context, (".cpp", ".h", ".tcl", ".txt")), **tools}

    def run(self, context: Context) -> Outcome:
        tool = next((name for name in HLS if shutil.which(name)), None)
        folder = context.path(FOLDER)
        vivado = " ".join(("vivado", *VIVADO))
        if tool is None:
            by_hand = f"cd {folder} && vivado_hls {' '.join(HLS['vivado_hls'])} && {vivado}"
            return Outcome(SKIPPED, f"no RTL and no bitstream: Vivado HLS not found; where it is: {by_hand}")
        problem = self._made(context, tool, HLS[tool], RTL)
        if problem:
            return Outcome(FAILED, problem)
        facts = {"tool": tool, "estimated": synthesis_estimates(folder)}
        if shutil.which("vivado") is None:
            return Outcome(DONE, f"RTL by {tool} in {context.path(RTL)}; no bitstream: Vivado not found; where it is: cd {folder} && {vivado}", facts)
        problem = self._made(context, "vivado", VIVADO, BITSTREAM)
        if problem:
            return Outcome(FAILED, problem, facts)
        return Outcome(DONE, f"RTL by {tool} in {context.path(RTL)}, bitstream {context.path(BITSTREAM)}", facts)

    def cancel(self) -> None:
        if self._child is not None:
            self._child.end()

    def _made(self, context: Context, tool: str, arguments: tuple[str, ...], product: str) -> str:
        """Run the tool in the project's folder; what went wrong, or nothing."""
        context.progress(f"{tool} is at work")
        log = context.path(f"{FOLDER}/{tool}.log")
        self._child = Child([str(shutil.which(tool)), *arguments], log, context.path(FOLDER).resolve())
        code = self._child.wait()
        if code:
            return f"{tool} ended with {code}: {self._child.last_line()}; see {log}"
        return "" if context.path(product).exists() else f"{tool} wrote no {context.path(product)}; see {log}"


def synthesis_estimates(folder: Path) -> dict[str, int]:
    """What the HLS tool estimates of the project in ``folder``, as hls4ml reads its report; empty where it cannot."""
    from hls4ml.report import parse_vivado_report

    found: dict[str, Any] = {}
    with contextlib.suppress(*_UNREADABLE), contextlib.redirect_stdout(io.StringIO()):
        found = parse_vivado_report(str(folder)).get("CSynthesisReport", {})
    return {ours: int(found[theirs]) for theirs, ours in _ESTIMATES.items() if str(found.get(theirs, "")).isdigit()}
