# SPDX-License-Identifier: Apache-2.0
"""What is said of a study's rows: means, spreads, paired differences, ranges."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

from codesign.errors import UserError
from codesign.study import runs
from codesign.study.distances import buffer_rows, histogram, recommended, sentence, shares
from codesign.study.plan import StudyPlan
from codesign.study.summary import summary
from codesign.study.table import accuracy, by_height, differences, main_plan, verdicts
from codesign.study.text import report_lines
from tests.study.rows import row

PLAIN, ROUNDED = (0.50, 0.52, 0.57), (0.60, 0.61, 0.68)
ROWS = [row("plain3", v, s) for s, v in enumerate(PLAIN, 1)] + [row("rounded7", v, s) for s, v in enumerate(ROUNDED, 1)]


def test_mean_and_deviation_over_seeds() -> None:
    found = accuracy(ROWS)
    assert list(found) == ["plain3", "rounded7"]
    spread = found["plain3"]["usual"]
    assert spread.mean == pytest.approx(np.mean(PLAIN)) and spread.deviation == pytest.approx(statistics.stdev(PLAIN))
    assert spread.text() == "53.0 ± 3.6"


def test_differences_are_paired_by_seed() -> None:
    """Gains of 10, 9 and 11 points: their spread is 1 point, though each form spreads over 4."""
    (found,) = differences(ROWS)
    assert found.question.startswith("the operator") and found.gain.count == 3
    assert found.gain.text(signed=True) == "+10.0 ± 1.0" and found.gain.clear
    assert len(differences(ROWS[1:])) == 1  # the seed that lacks its partner is left out
    assert differences(ROWS[1:])[0].gain.count == 2


def test_what_is_within_the_spread_is_not_called_clear() -> None:
    rows = [row("plain3", 0.5, s) for s in (1, 2, 3)] + [row("rounded7", v, s) for s, v in enumerate((0.45, 0.56, 0.50), 1)]
    assert not differences(rows)[0].gain.clear
    assert "within the spread" in verdicts(rows)[0]
    single = [row("plain3", 0.5), row("rounded7", 0.9)]
    assert not differences(single)[0].gain.clear and "(1)" in verdicts(single)[0]
    assert "one seed: no spread" in verdicts(single)[0]


def test_verdict_names_a_plain_kernel_that_wins() -> None:
    rows = [*ROWS, *(row("plain7", 0.8 + s / 100, s) for s in (1, 2, 3))]
    assert verdicts(rows)[0].startswith("usual scales: best is plain 7×7 (82.0 ± 1.0)")


def test_classes_of_height_without_objects_are_left_out() -> None:
    assert by_height(ROWS, "usual")["plain3"]["small"].mean == pytest.approx(np.mean(PLAIN) / 2)
    assert "large" not in by_height(ROWS, "usual")["plain3"]


def test_recommended_range_and_what_it_saves() -> None:
    counts = histogram(ROWS, "rounded7")
    assert counts.tolist() == [0, 2700, 0, 276, 0, 0, 0, 24]
    assert sentence(recommended(counts)) == "N = 3 keeps 99.2 % of the distances and saves 8 of 16 rows of buffer"
    assert recommended(counts, 0.9).bound == 1
    assert recommended(counts, 1.0).bound == 7 and "is needed" in sentence(recommended(counts, 1.0))
    with pytest.raises(UserError, match="keep is 0"):
        recommended(counts, 0)


def test_buffer_holds_the_taps_rows_and_the_one_being_written() -> None:
    assert [buffer_rows(n) for n in (1, 3, 6, 7)] == [4, 8, 14, 16]


def test_shares_gather_what_is_beyond() -> None:
    assert shares(np.array([1, 0, 0, 0, 0, 0, 0, 0, 2, 1]))[-1] == pytest.approx(0.75)
    assert sum(shares(np.array([5, 5]))) == pytest.approx(1)


def test_one_table_holds_one_budget() -> None:
    other = row("plain3", 0.9, 9, plan="another")
    assert {r["plan"] for r in main_plan([*ROWS, other])} == {StudyPlan().name}
    assert main_plan([*ROWS, other], "another") == [other]
    assert main_plan([], None) == []


def test_report_and_summary_hold_every_figure(tmp_path: Path) -> None:
    text = "\n".join(report_lines(ROWS, 0.99))
    for words in ("| plain 3×3 | 53.0 ± 3.6 |", "+10.0 ± 1.0 *", "N = 3 keeps 99.2 %", "decoder3"):
        assert words in text
    found = summary(ROWS, 0.99)
    assert found["range"]["usual"]["bound"] == 3 and found["differences"][0]["clear"]
    from codesign.study.plot import save_plot

    save_plot(ROWS, tmp_path / "p.png")
    first = (tmp_path / "p.png").read_bytes()
    save_plot(ROWS, tmp_path / "p.png")
    assert first == (tmp_path / "p.png").read_bytes() and len(first) < 150_000


def test_the_full_study_is_48_runs_seed_by_seed() -> None:
    every = runs(StudyPlan())
    assert len(every) == 48 == len({run.key for run in every})
    assert [run.seed for run in every] == sorted(run.seed for run in every)
    changed = runs(StudyPlan(epochs=11))
    assert not {run.key for run in every} & {run.key for run in changed}


@pytest.mark.parametrize("wrong", [{"variants": ["plain9"]}, {"kinds": ["odd"]}, {"seeds": [-1]}])
def test_unknown_names_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match="study: "):
        runs(StudyPlan(), **wrong)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"size": 100}, {"train": 0}, {"lr": 0.0}])
def test_impossible_budgets_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=f"study: {next(iter(wrong))}"):
        StudyPlan(**wrong)
