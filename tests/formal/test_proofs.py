# SPDX-License-Identifier: Apache-2.0
"""Proofs of the control blocks; each one fails on a block with a seeded bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formal.proofs import PROOFS
from tests.formal.prover import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")


def _named(name: str, *more: str) -> object:
    return pytest.param(name, *more, marks=[pytest.mark.slow] if PROOFS[name].slow else [])


@pytest.mark.parametrize("name", [_named(name) for name in PROOFS])
def test_holds(name: str, tmp_path: Path) -> None:
    assert PROOFS[name].holds(tmp_path)


@pytest.mark.parametrize("name, bug", [_named(name, bug) for name in PROOFS for bug in PROOFS[name].bugs])
def test_finds_seeded_bug(name: str, bug: str, tmp_path: Path) -> None:
    assert PROOFS[name].finds(bug, tmp_path)
