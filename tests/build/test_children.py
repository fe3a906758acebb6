# SPDX-License-Identifier: Apache-2.0
"""What compiles the simulator ends with the build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
from sim.verilate import _run
work = Path(sys.argv[1])
_run(["sh", "-c", "sleep 60 & echo $! > inner; wait"], work, dict(os.environ), work / "log")
"""


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_compilers_end_with_the_build(how, tmp_path):
    root = Path(__file__).resolve().parents[2]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=root, stderr=subprocess.DEVNULL, preexec_fn=heard)
    inner, limit = tmp_path / "inner", time.monotonic() + 30
    while not (inner.exists() and inner.read_text().strip()) and time.monotonic() < limit:
        time.sleep(0.05)
    pid = int(inner.read_text())
    time.sleep(0.3)
    assert running(pid)
    os.kill(process.pid, how)
    process.wait(20)
    while running(pid) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not running(pid)
