# SPDX-License-Identifier: Apache-2.0
"""verilate: the Verilog as it lies in the folder, compiled into a simulator."""

from __future__ import annotations

import shutil
from pathlib import Path

from codesign.build.step import DONE, RTL, Context, Outcome, Step


class VerilateStep(Step):
    name = "verilate"
    outputs = ("simulator/libsim.so",)
    sources = ("sim", "codesign/program/config.py")

    def inputs(self, context: Context) -> dict[str, str]:
        return {RTL: context.hash(RTL)}

    def run(self, context: Context) -> Outcome:
        from sim.verilate import build

        folder = context.path("simulator")
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in [*folder.glob(".building-*"), *folder.glob(".done-*")]:  # of a build that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        context.progress("Verilator and g++ are at work")
        built = build(context.path(RTL), context.board.accelerator, folder, context.progress)
        _replace_link(folder, built.parent.name)
        for other in folder.glob("sim-*"):
            if other.name != built.parent.name:
                shutil.rmtree(other, ignore_errors=True)
        return Outcome(DONE, f"simulator of {built.stat().st_size / 1e6:.1f} MB")


def _replace_link(folder: Path, name: str) -> None:
    link, partial = folder / "libsim.so", folder / ".libsim.so"
    partial.unlink(missing_ok=True)
    partial.symlink_to(f"{name}/libsim.so")
    partial.replace(link)
