# SPDX-License-Identifier: Apache-2.0
"""profile: a name for every cycle of the simulated frame, as a table, two charts and a timeline of the engines."""

from __future__ import annotations

import json
from typing import Any

from codesign.build.artefacts import readable, text_hash, write_whole
from codesign.build.step import DONE, FRAME, GRAPH, PROGRAM, Context, Outcome, Step
from codesign.report.shares import Shares, make_shares
from codesign.report.table import cycle_lines, engine_cycles

WATERLINE, ROOFLINE, TIMELINE = "waterline.png", "roofline.png", "trace.json"


class ProfileStep(Step):
    name = "profile"
    outputs = (WATERLINE, "waterline.svg", ROOFLINE, "roofline.svg", TIMELINE)
    sources = ("codesign/report", "codesign/plan", "codesign/program", "codesign/build/steps/profile.py")

    def inputs(self, context: Context) -> dict[str, str]:
        files = {name: context.hash(name) for name in (GRAPH, PROGRAM, FRAME)}
        return {**files, "board": text_hash(context.board.accelerator, context.board.dram, context.board.title)}

    def run(self, context: Context) -> Outcome:
        trace = context.json(FRAME)
        with readable(context.path(FRAME)):
            shares = make_shares(context.graph, context.plan.program, trace)
            self._write(context, shares, trace)
        facts = {"cycles": shares.total, "engines": engine_cycles(shares)}
        array = facts["engines"]["pointwise"]
        busy = sum(array[cause] for cause in ("useful", "second_pass", "padding", "recomputed")) / shares.total
        reason = f"pointwise array busy {busy:.1%} of {shares.total:,} cycles; {WATERLINE}, {ROOFLINE}, {TIMELINE}"
        return Outcome(DONE, reason, facts)

    def _write(self, context: Context, shares: Shares, trace: dict[str, Any]) -> None:
        from codesign.report.charts import save
        from codesign.report.roofline import roofline
        from codesign.report.timeline import timeline
        from codesign.report.waterline import waterline

        config = context.graph.meta.get("config", context.options.config)
        title = f"{context.board.title}, configuration {config}, simulated"
        document = timeline(trace, shares.works, f"codesign: {title}")
        write_whole(context.path(TIMELINE), json.dumps(document, allow_nan=False) + "\n")
        context.progress("drawing charts")
        save(waterline(shares, f"Where the cycles go: {title}"), context.path(WATERLINE))
        save(roofline(shares, context.board, f"Roofline: {title}"), context.path(ROOFLINE))

    def show(self, context: Context, facts: dict[str, Any]) -> None:
        for line in cycle_lines(facts["engines"], facts["cycles"]):
            context.log(line)
