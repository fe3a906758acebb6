# SPDX-License-Identifier: Apache-2.0
"""A user's own hls4ml script: it runs as it stands, agrees, and is short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hls4ml")
pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "hls4ml_deformable.py"


def test_example_converts_a_deformable_layer_in_under_30_lines(tmp_path: Path) -> None:
    assert len(SCRIPT.read_text().splitlines()) < 30
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(tmp_path / "project")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "differences: 0 of 6400"
    text = (tmp_path / "project" / "firmware" / "net.cpp").read_text()
    assert "codesign_nnet::deform_depthwise<" in text
