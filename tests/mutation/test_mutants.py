# SPDX-License-Identifier: Apache-2.0
"""The mutator makes the mutants it should, and the list of equivalent ones names mutants there are."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from tests.mutation.campaign import FILES, ROOT, digest, earlier
from tests.mutation.mutants import mutants
from tests.mutation.score import EQUIVALENT, table

TEXT = '''
"""Docstring: 1 + 1."""
import math

def f(x: "3") -> int:
    if x < 2 and x:
        raise ValueError(x)
    return np.clip(round(x) + 1, 0, 5)
'''


def test_every_kind_of_mistake_is_made_once() -> None:
    found = list(mutants(TEXT))
    changes = {(m.kind, m.before, m.after) for m in found}
    assert {
        ("comparison", "x < 2", "x <= 2"), ("comparison", "x < 2", "x >= 2"), ("logic", "x < 2 and x", "x < 2 or x"),
        ("statement", "raise ValueError(x)", "pass"), ("rounding", "round(x)", "math.floor(x)"),
        ("arithmetic", "round(x) + 1", "round(x) - 1"), ("off by one", "5", "6"), ("off by one", "0", "-1"),
        ("clamp", "np.clip(round(x) + 1, 0, 5)", "np.clip(round(x) + 1, -2 ** 40, 5)"),
        ("clamp", "np.clip(round(x) + 1, 0, 5)", "np.clip(round(x) + 1, 0, 2 ** 40)"),
    } <= changes  # fmt: skip
    assert any(m.kind == "condition" for m in found) and any(m.kind == "return" for m in found)
    assert len({m.source for m in found}) == len({m.name for m in found}) == len(found)
    for mutant in found:
        assert ast.unparse(ast.parse(mutant.source)) != ast.unparse(ast.parse(TEXT))
        assert "Docstring: 1 + 1." in mutant.source and "x: '3'" in mutant.source and "import math" in mutant.source


def test_equivalent_mutants_are_mutants_there_are() -> None:
    for file, names in EQUIVALENT.items():
        assert file in FILES
        assert not names.keys() - {m.name for m in mutants((ROOT / file).read_text())}


def test_results_hold_for_the_files_they_were_made_of(tmp_path: Path) -> None:
    file, results = FILES[0], tmp_path / "results.jsonl"
    mutant = next(mutants((ROOT / file).read_text()))
    row = {"file": file, "name": mutant.name, "status": "killed", "source": digest(file), "tests": "others"}
    results.write_text(json.dumps(row) + "\n")
    assert (file, mutant.name) in earlier(results)  # killed by fewer tests is killed by more
    results.write_text(json.dumps(row | {"status": "survived"}) + "\n")
    assert not earlier(results)
    results.write_text(json.dumps(row | {"source": "another"}) + "\n")
    assert not earlier(results)


def test_a_mutant_that_was_not_run_does_not_count_as_killed() -> None:
    text, score = table({})
    assert score == 0 and "not run" in text
