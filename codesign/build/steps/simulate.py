# SPDX-License-Identifier: Apache-2.0
"""simulate: the frame through the RTL with the board's DRAM model, every tensor compared with golden.

The DRAM content is program.bin as it lies in the folder, the RTL is the folder's: what was edited there is what runs.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from codesign.build.artefacts import json_text, readable, write_whole
from codesign.build.step import (
    FAILED,
    FRAME,
    GOLDEN,
    GRAPH,
    IMAGE,
    PROGRAM,
    RTL,
    VERIFIED,
    Context,
    Outcome,
    Step,
)
from codesign.errors import UserError
from codesign.verify import Comparison, compare, run_frame
from codesign.verify.frame import DeviceFault, Frame


def content(context: Context) -> np.ndarray:
    """program.bin, which must have the planned size: addresses of everything else follow from it."""
    wanted = context.plan.program.content.size
    with readable(context.path(PROGRAM)):
        size = context.path(PROGRAM).stat().st_size
        data = np.fromfile(context.path(PROGRAM), np.uint8, wanted)
    if size != wanted or data.size != wanted:
        raise UserError(
            f"{context.path(PROGRAM)} has {size} bytes where the plan has {wanted}; restore it or build with --fresh"
        )
    return data


class SimulateStep(Step):
    name = "simulate"
    outputs = (FRAME,)
    sources = ("sim", "codesign/verify", "codesign/plan", "codesign/program")

    def inputs(self, context: Context) -> dict[str, str]:
        names = (GRAPH, IMAGE, GOLDEN, PROGRAM, RTL)
        return {**{name: context.hash(name) for name in names}, "dram": repr(context.board.dram)}

    def run(self, context: Context) -> Outcome:
        from sim.device import SimulationError

        library = context.path("simulator/libsim.so").resolve()
        image = content(context)
        try:
            frame = run_frame(
                library,
                context.plan.program,
                context.board,
                context.codes,
                image,
                lambda cycles: context.progress(f"{cycles / 1e3:,.0f} k cycles"),
            )
        except (DeviceFault, SimulationError) as error:
            return Outcome(FAILED, " ".join(str(error).split()))
        context.progress("comparing every tensor with golden")
        result = compare(context.plan, context.graph, context.golden, frame)
        facts = _facts(result, frame)
        write_whole(context.path(FRAME), json_text(_trace(context, frame)))
        speed = frame.cycles / frame.seconds / 1e3 if frame.seconds else 0.0
        reason = (
            f"{result.values:,} values of {result.tensors} tensors compared, {result.mismatches:,} mismatches; "
            f"{frame.cycles:,} cycles simulated at {speed:,.0f} k cycles/s"
        )
        if result.mismatches:
            return Outcome(FAILED, f"{reason}; {result.first}", facts)
        return Outcome(VERIFIED, reason, facts)


def _facts(result: Comparison, frame: Frame) -> dict[str, Any]:
    return {
        "tensors": result.tensors,
        "values": result.values,
        "mismatches": result.mismatches,
        "first_difference": asdict(result.first) if result.first else None,
        "cycles": frame.cycles,
        "seconds": frame.seconds,
        "read_bytes": frame.read_bytes,
        "write_bytes": frame.write_bytes,
    }


def _trace(context: Context, frame: Frame) -> dict[str, Any]:
    """Per engine its counters and, per instruction, when it began and ended and what each cycle went into."""
    from codesign.program.registers import Counter

    nodes = [instruction.node for instruction in context.plan.program.instructions]
    engines = []
    for engine in frame.engines:
        rows = [
            [int(e["index"]), nodes[int(e["index"])], int(e["start"]), int(e["retire"]), *map(int, e["activity"])]
            for e in engine.events
            if int(e["index"]) < len(nodes)
        ]
        engines.append({"name": engine.name, "counters": engine.counters, "events": rows})
    columns = ["index", "node", "start", "retire", *(c.name.lower() for c in Counter)]
    return {"cycles": frame.cycles, "columns": columns, "engines": engines}
