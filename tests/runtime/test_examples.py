# SPDX-License-Identifier: Apache-2.0
"""The PYNQ-style script and the tutorial notebook, unchanged, on the virtual board: golden's boxes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.runtime import opening
from tests.runtime import small

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT, NOTEBOOK = EXAMPLES / "pynq_detect.py", EXAMPLES / "tutorial.ipynb"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(small.pictures(1, 8)[0]).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def cells() -> list[str]:
    """The notebook's code cells; the format's required keys are there."""
    book = json.loads(NOTEBOOK.read_text())
    assert book["nbformat"] == 4 and set(book) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    for cell in book["cells"]:
        keys = {"cell_type", "id", "metadata", "source"} | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert set(cell) == keys and isinstance(cell["source"], list)
        assert not cell.get("outputs"), "no outputs are kept"
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs_on_the_virtual_board(package: Path, picture: Path, monkeypatch, capsys) -> None:
    """Its cells in order, in one namespace, as a kernel runs them."""
    monkeypatch.setenv("CODESIGN_PACKAGE", str(package))
    monkeypatch.setenv("CODESIGN_PICTURE", str(picture))
    monkeypatch.setenv(opening.VARIABLE, f"sim:{small.board_file(picture.parent)}")
    monkeypatch.chdir(picture.parent)
    names: dict[str, object] = {}
    for number, source in enumerate(cells()):
        exec(compile(source, f"cell {number}", "exec"), names)
    assert small.same(names["found"], small.golden(small.pictures(1, 8)[0]))
    assert "changed since it was written" in capsys.readouterr().out


def test_the_script_prints_goldens_boxes(package: Path, picture: Path) -> None:
    environment = {**os.environ, opening.VARIABLE: f"sim:{small.board_file(picture.parent)}", "PYTHONPATH": str(EXAMPLES.parent)}
    command = [sys.executable, str(SCRIPT), str(package), str(picture), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=picture.parent)
    assert done.returncode == 0, done.stderr
    found, labels = small.golden(small.pictures(1, 8)[0]).above(0.3), small.graph().meta["labels"]
    wanted = [
        f"  {labels[label]} {score:.6f} " + " ".join(f"{v:.4f}" for v in np.clip(box, 0, 32))
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
    ]
    lines = done.stdout.splitlines()
    assert lines[1 : 1 + len(wanted)] == wanted and lines[2 + len(wanted) : -1] == wanted


def test_the_examples_are_python_3_8() -> None:
    for source in (SCRIPT.read_text(), *cells()):
        ast.parse(source, feature_version=(3, 8))
