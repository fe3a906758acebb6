# SPDX-License-Identifier: Apache-2.0
"""Boards other than the default one build and verify bit-exact: a user's own file, and Ultra96-V2's 32 x 32 array. Slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.build import BuildOptions, build
from codesign.build.steps import all_steps
from tests.runtime import small

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("board", ["a user's file", "ultra96-v2"])
def test_a_board_verifies_bit_exact(board: str, tmp_path: Path, monkeypatch) -> None:
    """Configuration a on a small picture, every value of every tensor; simulators come from the user's cache."""
    small.simulators_from_cache(monkeypatch)
    spec = board if board == "ultra96-v2" else str(small.board_file(tmp_path))
    steps = [step for step in all_steps() if step.name not in ("synthesise", "profile")]
    result = build(BuildOptions(spec, "a", height=64, width=64, out=tmp_path / "build"), steps=steps)
    facts = {step.name: step for step in result.steps}
    assert facts["simulate"].status == "verified", facts["simulate"].reason
    assert facts["simulate"].facts["mismatches"] == 0 and facts["simulate"].facts["values"] > 100_000
    assert facts["bitstream"].reason == "no bitstream: Vivado not found" or facts["bitstream"].status == "done"
    assert (tmp_path / "build" / "vivado" / "block_design.tcl").is_file()
