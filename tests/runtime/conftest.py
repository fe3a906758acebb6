# SPDX-License-Identifier: Apache-2.0
"""A package of the small detector, and virtual boards that are closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codesign.runtime import Detector
from codesign.virtual import VirtualBoard
from tests.runtime import small


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("package") / "detector.zip")


@pytest.fixture
def board() -> Iterator[VirtualBoard]:
    made = small.virtual_board()
    yield made
    made.close()


@pytest.fixture
def detector(package: Path, board: VirtualBoard) -> Iterator[Detector]:
    with Detector.from_package(str(package), board) as made:
        yield made


@pytest.fixture
def make_board() -> Iterator[Callable[..., VirtualBoard]]:
    made: list[VirtualBoard] = []

    def maker(**options: object) -> VirtualBoard:
        made.append(small.virtual_board(**options))
        return made[-1]

    yield maker
    for device in made:
        device.close()
