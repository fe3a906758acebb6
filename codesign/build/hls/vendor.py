# SPDX-License-Identifier: Apache-2.0
"""hls: the project through Vivado HLS and Vivado to a bitstream, where they are installed; nothing else needs them."""

from __future__ import annotations

import shutil

from codesign.build.children import Child
from codesign.build.hls.compile import project_hash
from codesign.build.hls.project import FOLDER
from codesign.build.step import DONE, FAILED, SKIPPED, Context, Outcome, Step

TOOLS = ("vivado_hls", "vitis_hls")
OPTIONS = "reset=1 csim=0 synth=1 cosim=0 validation=0 export=1 vsynth=0"


class VendorStep(Step):
    name = "hls"

    def inputs(self, context: Context) -> dict[str, str]:
        tools = {tool: str(shutil.which(tool)) for tool in (*TOOLS, "vivado")}
        return {"project": project_hash(context, (".cpp", ".h", ".tcl")), **tools}

    def run(self, context: Context) -> Outcome:
        tool = next((name for name in TOOLS if shutil.which(name)), None)
        folder = context.path(FOLDER)
        first = f"{tool or TOOLS[0]} -f build_prj.tcl \"{OPTIONS}\""
        second = "vivado -mode batch -source design.tcl"
        if tool is None:
            return Outcome(SKIPPED, f"no RTL and no bitstream: Vivado HLS not found; where it is: cd {folder} && {first} && {second}")
        outcome = _run(context, [tool, "-f", "build_prj.tcl", OPTIONS], f"{FOLDER}/{tool}.log")
        if outcome is not None:
            return outcome
        if shutil.which("vivado") is None:
            return Outcome(DONE, f"RTL by {tool} in {folder}; no bitstream: Vivado not found; where it is: cd {folder} && {second}")
        outcome = _run(context, ["vivado", "-mode", "batch", "-source", "design.tcl"], f"{FOLDER}/vivado.log")
        return outcome or Outcome(DONE, f"RTL and bitstream in {folder}")


def _run(context: Context, command: list[str], log: str) -> Outcome | None:
    """None where the command succeeded."""
    context.progress(f"{command[0]} is at work")
    child = Child(command, context.path(log), context.path(FOLDER).resolve())
    try:
        code = child.wait()
    finally:
        child.end()
    if code:
        return Outcome(FAILED, f"{command[0]} ended with {code}: {child.last_line()}; see {context.path(log)}")
    return None
