# SPDX-License-Identifier: Apache-2.0
"""agree: the C simulation's pictures through the RTL as well, and the two back ends side by side."""

from __future__ import annotations

from typing import Any

from codesign.build.artefacts import json_text, text_hash, write_whole
from codesign.build.hls.csim import RESULT as CSIM
from codesign.build.hls.pictures import PICTURES, picture_codes
from codesign.build.hls.side_by_side import comparison
from codesign.build.step import FAILED, GRAPH, IMAGE, PROGRAM, RTL, VERIFIED, Context, Outcome, Step
from codesign.build.steps.simulate import content
from codesign.golden import run
from codesign.verify import compare, run_frame
from codesign.verify.frame import DeviceFault

RESULT = "backends.json"


class AgreeStep(Step):
    name = "agree"
    outputs = (RESULT,)
    sources = ("codesign/build/hls", "codesign/verify", "sim")

    def inputs(self, context: Context) -> dict[str, str]:
        files = {name: context.hash(name) for name in (GRAPH, IMAGE, PROGRAM, RTL, CSIM)}
        return {**files, "shown": text_hash(*(context.fact(step) for step in ("synthesise", "project", "da4ml", "hls")))}

    def run(self, context: Context) -> Outcome:
        try:
            frames = _frames(context)
        except (DeviceFault, RuntimeError) as error:
            return Outcome(FAILED, f"the RTL stopped: {' '.join(str(error).split())}")
        csim = context.fact("csim")
        wrong = {"rtl": sum(frame["mismatches"] for frame in frames), "csim": csim["mismatches"]}
        values = sum(frame["values"] for frame in frames)
        facts = {"images": len(frames), "rtl_values": values, "csim_values": csim["values"], "mismatches": wrong,
                 "rtl_cycles": [frame["cycles"] for frame in frames], "table": comparison(context)}  # fmt: skip
        write_whole(context.path(RESULT), json_text(facts))
        reason = (
            f"golden = RTL = C simulation on {len(frames)} pictures: {values:,} values of the RTL and {csim['values']:,} of the "
            f"C simulation compared with golden, {wrong['rtl']:,} and {wrong['csim']:,} mismatches"
        )
        if any(wrong.values()):
            first = next((frame["first"] for frame in frames if frame["first"]), "")
            return Outcome(FAILED, f"not {reason}; {first}", facts)
        return Outcome(VERIFIED, reason, facts)

    def show(self, context: Context, facts: dict[str, Any]) -> None:
        """The table."""
        for name, left, right in facts["table"]:
            context.log(f"{name:<26} {left:<44} {right}")


def _frames(context: Context) -> list[dict[str, Any]]:
    """Every picture through the RTL, every tensor compared: values, mismatches, cycles, first difference."""
    library, image, rows = context.path("simulator/libsim.so").resolve(), content(context), []
    for number, codes in enumerate(picture_codes(context)):
        context.progress(f"RTL: picture {number + 1} of {PICTURES}")
        frame = run_frame(library, context.plan.program, context.board, codes, image)
        result = compare(context.plan, context.graph, run(context.graph, codes), frame)
        first = f"picture {number}, {result.first}" if result.first else ""
        rows.append({"values": result.values, "mismatches": result.mismatches, "cycles": frame.cycles, "first": first})
    return rows
