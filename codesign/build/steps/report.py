# SPDX-License-Identifier: Apache-2.0
"""report: report.json, the contract other programs read."""

from __future__ import annotations

from codesign.build.artefacts import json_text, text_hash, write_whole
from codesign.build.step import DONE, REPORT, Context, Outcome, Step
from codesign.report import make_report


class ReportStep(Step):
    name = "report"
    outputs = (REPORT,)
    sources = ("codesign/report",)

    def inputs(self, context: Context) -> dict[str, str]:
        return {"steps": text_hash(*((r.name, r.status, r.reason, r.seconds, r.facts) for r in context.results))}

    def run(self, context: Context) -> Outcome:
        report = make_report(context)
        write_whole(context.path(REPORT), json_text(report))
        return Outcome(DONE, str(context.path(REPORT)))
