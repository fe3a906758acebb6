# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the optional data folder, and a cache of simulators of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of optional data sets (`CODESIGN_DATA`); tests that need it are skipped without it."""
    named = os.environ.get("CODESIGN_DATA")
    if not named:
        pytest.skip("skipped: CODESIGN_DATA not set")
    path = Path(named)
    if not path.is_dir():
        pytest.skip(f"skipped: CODESIGN_DATA is {path}, no such folder")
    return path


@pytest.fixture(scope="session")
def bccd(data_folder: Path) -> Path:
    """Blood-cell photographs in Pascal VOC layout."""
    if not (data_folder / "bccd").is_dir():
        pytest.skip(f"skipped: {data_folder} holds no bccd folder")
    return data_folder / "bccd"
