# SPDX-License-Identifier: Apache-2.0
"""plan: graph × board to program.bin (the DRAM content: program, then weights), its listing and its summary."""

from __future__ import annotations

from dataclasses import asdict

from codesign.build.artefacts import json_text, text_hash, write_whole
from codesign.build.step import DONE, GRAPH, LISTING, PLAN, PROGRAM, Context, Outcome, Step
from codesign.plan import Plan
from codesign.program.disasm import disassemble


def summary(plan: Plan) -> dict[str, object]:
    """Where things lie in DRAM, and how each group of layers was cut."""
    program = plan.program
    outputs = {
        role: {"tensor": t.name, "shape": t.shape, "scale": t.scale, "zero_point": t.zero_point, "planes": t.planes}
        for role, t in program.outputs.items()
    }
    image = dict(zip(("address", "height", "width"), program.image, strict=True)) if program.image else None
    return {
        "accelerator": asdict(program.config),
        "instructions": len(program.instructions),
        "content_bytes": int(program.content.size),
        "params_address": program.params_address,
        "dram_bytes": program.dram_bytes,
        "image": image,
        "outputs": outputs,
        "groups": {name: str(shape) for name, shape in plan.shapes.items()},
    }


class PlanStep(Step):
    name = "plan"
    outputs = (PROGRAM, LISTING, PLAN)
    sources = ("codesign/plan", "codesign/program", "codesign/graph", "codesign/numeric.py")

    def inputs(self, context: Context) -> dict[str, str]:
        board = context.board
        return {GRAPH: context.hash(GRAPH), "accelerator": text_hash(board.accelerator), "dram": text_hash(board.dram)}

    def run(self, context: Context) -> Outcome:
        program = context.plan.program
        write_whole(context.path(PROGRAM), program.content.tobytes())
        nodes = [instruction.node for instruction in program.instructions]
        listing = disassemble(program.content.tobytes(), program.config.engines, nodes)
        write_whole(context.path(LISTING), "\n".join(listing) + "\n")
        write_whole(context.path(PLAN), json_text(summary(context.plan)))
        size = program.content.size
        reason = f"{len(program.instructions):,} instructions, {size:,} bytes of program and weights"
        image = program.image
        facts = {"instructions": len(program.instructions), "dram_bytes": program.dram_bytes}
        if image is not None:
            facts["image_bytes"] = image[1] * image[2] * 4
        return Outcome(DONE, reason, facts)
