# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/adding-an-operator.md works: its edits, made to a copy of the package, and its code, run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "adding-an-operator.md"
NEEDED = ("codesign", "hw", "sim", "boards", "tests")


def edits() -> list[tuple[str, str, str]]:
    """(file, old text, new text) of every edit, in the page's order."""
    found, file = [], ""
    for name, body in re.findall(r"^`([\w/]+\.py)`|^```diff\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        file = name or file
        if body:
            lines = body.splitlines()
            old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] in kept) for kept in ((" ", "-", ""), (" ", "+", "")))
            found.append((file, old, new))
    return found


def code(kind: str) -> str:
    """The page's Python of a kind, as one script."""
    return "\n".join(re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with the operator of the page."""
    copy = tmp_path_factory.mktemp("package")
    for name in NEEDED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for file, old, new in edits():
        text = (copy / file).read_text()
        assert text.count(old) == 1, f"{file} holds {text.count(old)} times:\n{old}"
        (copy / file).write_text(text.replace(old, new))
    return copy


def run(script: str, folder: Path) -> None:
    surroundings = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run([sys.executable, "-c", script], cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]


def test_the_operator_of_the_page_runs_on_golden_plan_and_import(edited: Path) -> None:
    assert len(edits()) > 20
    run(code("python"), edited)


def test_the_edited_package_keeps_its_style(edited: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", edited)
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "-q", "codesign"], cwd=edited, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
def test_the_operator_of_the_page_runs_on_rtl(edited: Path) -> None:
    run(code("python") + "\n" + code("python rtl"), edited)
