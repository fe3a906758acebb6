# SPDX-License-Identifier: Apache-2.0
"""report: report.json, the contract other programs read, and report.html, the same for people."""

from __future__ import annotations

from codesign.build.artefacts import json_text, text_hash, write_whole
from codesign.build.step import DONE, PAGE, REPORT, Context, Outcome, Step
from codesign.report import make_report
from codesign.report.html.page import sources
from codesign.report.report import artefact_hashes


class ReportStep(Step):
    name = "report"
    outputs = (REPORT, PAGE)
    sources = ("codesign/report", "codesign/sweep/resources.py")

    def inputs(self, context: Context) -> dict[str, str]:
        files = text_hash(sorted(artefact_hashes(context).items()))
        return {"style": sources(), "files": files, "steps": text_hash(*((r.name, r.status, r.reason, r.seconds, r.facts) for r in context.results))}

    def run(self, context: Context) -> Outcome:
        report = make_report(context)
        write_whole(context.path(REPORT), json_text(report))
        from codesign.report.html.build_page import build_page

        write_whole(context.path(PAGE), build_page(context, report, context.command))
        return Outcome(DONE, f"{context.path(REPORT)}, {PAGE}")
