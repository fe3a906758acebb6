# SPDX-License-Identifier: Apache-2.0
"""Runs of a study: resumed bit by bit, never repeated, equal where they should be; a recorded one computed again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from codesign.cli import main  # noqa: E402 - torch is optional
from codesign.study import Results, StudyPlan, runs  # noqa: E402
from codesign.study.measure import reach  # noqa: E402
from codesign.study.plan import Run  # noqa: E402
from codesign.study.runner import Scenes, run_study, start_file  # noqa: E402
from codesign.study.start import start_model  # noqa: E402
from codesign.study.training import make_start, train_run  # noqa: E402
from tests.study.rows import row  # noqa: E402

TINY = StudyPlan(train=8, test=4, size=64, epochs=2, warm_up=1, crops=1, batch=4)
SHIPPED = Path(__file__).parents[2] / "docs" / "study"
RECOMPUTED = ("rounded7", "usual", 1)  # form, kind of scene, seed


def silent(_text: str) -> None:
    pass


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


def started(work: Path) -> Path:
    path = start_file(TINY, work)
    make_start(TINY, lambda: Scenes(work, silent).labelled(TINY), path, silent)
    return path


def trained(run: Run, work: Path, folder: Path, **options: Any) -> dict[str, Any] | None:
    folder.mkdir(exist_ok=True)
    return train_run(run, *Scenes(work, silent)(run.kind, run.plan), started(work), folder, silent, **options)


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(work: Path, tmp_path: Path) -> None:
    (run,) = runs(TINY, ["rounded3"], ["usual"], [1])
    whole = trained(run, work, tmp_path / "a")
    assert trained(run, work, tmp_path / "b", stop_after=1) is None
    resumed = trained(run, work, tmp_path / "b")
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["ap50"] == whole["ap50"] and resumed["offsets"] == whole["offsets"]
    (other,) = runs(TINY, ["rounded3"], ["usual"], [2])
    assert trained(other, work, tmp_path / "a")["weights_sha256"] != whole["weights_sha256"]


def test_a_finished_run_is_not_repeated(work: Path, tmp_path: Path) -> None:
    results, said = Results(tmp_path / "r.jsonl"), []
    wanted = runs(TINY, ["plain3", "plain7"], ["usual"], [1])
    assert run_study(wanted[:1], work, results, said.append) == 1
    assert any(line.startswith("budget: 1 runs, 0 finished, 1 to do") for line in said)
    kept = results.path.read_bytes()
    assert run_study(wanted[:1], work, results, said.append) == 0
    assert results.path.read_bytes() == kept
    said.clear()
    assert run_study(wanted, work, results, said.append) == 1
    assert any("2 runs, 1 finished, 1 to do" in line for line in said)
    row = results.rows()[1]
    assert row["config"]["kernel"] == 7 and row["offsets"] == {} and len(row["ap50_per_class"]) == 1
    assert not list(work.glob(f"{wanted[0].key}*"))  # its checkpoint is gone


def test_every_form_starts_as_the_same_function(work: Path) -> None:
    """Offsets start at the plain kernel's positions, a 7x7 kernel with zeros around the 3x3 one."""
    image, wanted = torch.rand(1, 3, 64, 64) * 2 - 1, runs(TINY, kinds=["usual"], seeds=[3])
    start, heads = started(work), {}
    for run in wanted:
        with torch.no_grad():
            heads[run.variant.name] = start_model(run, start).eval()(image)
    for name, maps in heads.items():
        for head, value in maps.items():
            torch.testing.assert_close(value, heads["plain3"][head], msg=lambda text: f"{name} {head}: {text}")  # noqa: B023


def test_a_start_that_was_killed_ends_with_the_same_weights(work: Path, tmp_path: Path) -> None:
    plan, scenes = replace(TINY, warm_up=2), Scenes(work, silent)
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    make_start(plan, lambda: scenes.labelled(plan), whole, silent)

    def stop(text: str) -> None:
        if "epoch 1/2" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_start(plan, lambda: scenes.labelled(plan), cut, stop)
    assert not cut.exists()
    make_start(plan, lambda: scenes.labelled(plan), cut, silent)
    assert cut.read_bytes() == whole.read_bytes()


def test_reach_of_offsets() -> None:
    assert reach(torch.tensor([2.4, 2.6]).view(1, 1, 1, 2)).flatten().tolist() == [2, 3]
    pairs = torch.zeros(1, 18, 1, 1)
    pairs[0, 4], pairs[0, 5], pairs[0, 17] = -6.0, 2.0, 0.7
    assert reach(pairs).flatten().tolist() == [0, 0, 6, 0, 0, 0, 0, 0, 1]


def test_show_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "show", "--results", str(tmp_path / "none.jsonl")]) == 2
    assert "no runs; codesign study makes some" in capsys.readouterr().err
    assert main(["study", "--variants", "plain9"]) == 2
    assert "'plain9' is not known" in capsys.readouterr().err
    assert main(["study", "--seeds", "one"]) == 2


def test_show_prints_tables_and_writes_json_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, out, plot = Results(tmp_path / "r.jsonl"), tmp_path / "s.json", tmp_path / "s.png"
    for form, ap50 in (("plain3", 0.5), ("rounded3", 0.6), ("rounded7", 0.7)):
        results.append(row(form, ap50))
    assert main(["study", "show", "--results", str(results.path), "--json", str(out), "--plot", str(plot)]) == 0
    assert "square, rounded, N = 3" in capsys.readouterr().out
    assert json.loads(out.read_text())["runs"] == 3 and plot.stat().st_size > 1000


@pytest.mark.slow
def test_a_shipped_run_is_computed_again_from_its_seed(tmp_path: Path) -> None:
    """With the same versions on the same processor: the same bits. Scenes are generated again, too."""
    want = next(r for r in Results(SHIPPED / "results.jsonl").rows() if (r["variant"], r["kind"], r["seed"]) == RECOMPUTED)
    start = start_file(StudyPlan(), tmp_path)
    shutil.copy(SHIPPED / start.name, start)
    form, kind, seed = RECOMPUTED
    results = tmp_path / "r.jsonl"
    options = ["--variants", form, "--kinds", kind, "--seeds", str(seed), "--results", str(results), "--out", str(tmp_path)]
    assert main(["study", *options]) == 0
    (got,) = Results(results).rows()
    assert got["key"] == want["key"]
    if got["versions"] == want["versions"]:
        assert got["weights_sha256"] == want["weights_sha256"]
        assert got["ap50"] == want["ap50"] and got["offsets"] == want["offsets"]
    else:
        assert got["ap50"] == pytest.approx(want["ap50"], abs=0.05), f"{want['versions']} then, {got['versions']} now"
