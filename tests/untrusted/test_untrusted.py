# SPDX-License-Identifier: Apache-2.0
"""Whatever a file holds, its reader succeeds or says in one line what to do: no traceback, no memory without end, no endless loop,
nothing written elsewhere and no program started. `kinds.KINDS` is the table of what is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.untrusted.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
GROUPS = sorted({kind.group for kind in KINDS.values()})


def campaign(group: str, cases: int, seed: int, *more: str) -> int:
    """Cases of a group read in a process of its own; fails with the first that broke the rule."""
    command = [sys.executable, "-m", "tests.untrusted.campaign", "--group", group, "--cases", str(cases), "--seed", str(seed), *more]
    surroundings = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    found = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    broken = [line for line in found.stdout.splitlines() if line.startswith("BROKEN")]
    assert not broken, "\n".join(broken[:5])
    assert found.returncode == 0, f"ended by {found.returncode} in: {found.stderr[-1500:]}"
    return int(re.search(r"(\d+) cases", found.stdout.splitlines()[-1])[1])


@pytest.mark.parametrize("group", GROUPS)
def test_spoiled_files_are_refused_in_one_line(group: str) -> None:
    kinds = sum(kind.group == group for kind in KINDS.values())
    assert campaign(group, 4, 1, "--thin") > 6 * kinds


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_thousands_of_spoiled_files_are_refused_in_one_line(group: str) -> None:
    assert campaign(group, {"plain": 60, "onnx": 400, "torch": 100}[group], 2) > 300
