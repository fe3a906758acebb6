# SPDX-License-Identifier: Apache-2.0
"""The results file: whole lines or none, whoever writes, whatever dies."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from codesign.errors import UserError
from codesign.study.results import Results
from tests.study.rows import row


def test_appended_rows_come_back_in_order(tmp_path: Path) -> None:
    results = Results(tmp_path / "deep" / "r.jsonl")
    assert results.rows() == []
    for seed in (3, 1, 2):
        results.append(row("plain3", 0.5, seed))
    assert [r["seed"] for r in results.rows()] == [3, 1, 2]


def test_a_line_cut_short_is_ignored_and_replaced(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl")
    results.append(row("plain3", 0.5))
    whole = results.path.read_bytes()
    results.path.write_bytes(whole + whole[:100])
    assert len(results.rows()) == 1
    results.append(row("plain7", 0.6))
    assert [r["variant"] for r in results.rows()] == ["plain3", "plain7"]
    assert results.path.read_bytes().startswith(whole)


def test_of_two_rows_with_one_key_the_later_counts(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl")
    results.append(row("plain3", 0.5))
    results.append(row("plain3", 0.7))
    assert [r["ap50"] for r in results.rows()] == [0.7]


@pytest.mark.parametrize("line", ["{}", "[1]", "not json", '{"schema": "codesign-study-1"}', "[" * 5000])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    results = Results(tmp_path / "r.jsonl")
    results.append(row("plain3", 0.5))
    results.path.write_text(results.path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"r\.jsonl: line 2 is not a result"):
        results.rows()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a readable results file"):
        Results(path).rows()
    path.write_text("a note without a line end")
    with pytest.raises(UserError, match="not a results file"):
        Results(path).rows()


def _append_many(path: str, seed: int) -> None:
    for n in range(20):
        Results(Path(path)).append(row("plain3", 0.5, 1000 * seed + n))


def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(str(path), n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(Results(path).rows()) == 60
    assert all(json.loads(line) for line in path.read_text().splitlines())
