# SPDX-License-Identifier: Apache-2.0
"""`codesign eval --on rtl`: pictures shared by workers, golden beside them, what is done is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesign.build import frames
from codesign.build.frame_worker import main as work
from codesign.cli import main
from codesign.cli.progress import remaining
from codesign.graph.files import save_graph
from codesign.lower.random_net import random_graph
from tests.build.fakes import run_frame

PICTURES = 3


class InlineChild:
    """`Child` that does the worker's work where it is."""

    started: list[list[str]] = []

    def __init__(self, command, log):
        self.started.append(command)
        at = command.index("codesign.build.frame_worker")
        work(Path(command[at + 1]), int(command[at + 2]), int(command[at + 3]))

    def wait(self, seconds=None):
        return 0

    def end(self):
        pass


@pytest.fixture
def inline(fast, monkeypatch, tmp_path):
    """Arguments of an evaluation of a small random network on three pictures, all in this process."""
    import codesign.verify

    monkeypatch.setattr(codesign.verify, "run_frame", run_frame)
    monkeypatch.setattr(frames, "Child", InlineChild)
    monkeypatch.setattr(InlineChild, "started", [])
    assert main(["digits", str(tmp_path / "scenes"), "--train", "1", "--test", str(PICTURES), "--size", "64"]) == 0
    graph = random_graph("b", height=64, width=64, classes=10)
    graph.meta["labels"] = [str(digit) for digit in range(10)]
    save_graph(graph, tmp_path / "model.safetensors")
    data = ["--data", str(tmp_path / "scenes"), "--model", str(tmp_path / "model.safetensors")]
    return ["eval", *data, "--build", str(tmp_path / "build")]


def results(path: Path) -> dict[str, dict]:
    return {row["on"]: row for row in json.loads(path.read_text())["results"]}


def test_rtl_and_golden_side_by_side(inline, tmp_path, capsys):
    assert main([*inline, "--on", "golden,rtl", "--jobs", "2", "--json", str(tmp_path / "rtl.json")]) == 0
    out = capsys.readouterr().out
    assert "on rtl:    3 images" in out and "2 at a time" in out
    rows = results(tmp_path / "rtl.json")
    assert list(rows) == ["rtl", "golden"]
    assert rows["rtl"]["ap50"] == rows["golden"]["ap50"] == rows["rtl"]["golden_ap50"]
    assert rows["rtl"]["mismatches"] == 0 and rows["rtl"]["values"] > 1e6
    assert len(rows["rtl"]["cycles"]) == PICTURES
    shares = [command[-2:] for command in InlineChild.started]
    assert shares == [["0", "2"], ["1", "2"]]
    assert main([*inline, "--on", "golden", "--json", str(tmp_path / "golden.json")]) == 0
    alone = results(tmp_path / "golden.json")["golden"]
    assert alone["per_class"] == rows["golden"]["per_class"], "the same boxes as evaluating golden alone"


def test_interrupted_evaluation_is_scored_kept_and_resumed(inline, tmp_path, capsys, monkeypatch):
    import codesign.verify

    seen = []

    def interrupted(*arguments, **options):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(1)
        return run_frame(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(codesign.verify, "run_frame", interrupted)
        assert main([*inline, "--on", "rtl", "--jobs", "1"]) == 130
    shown = capsys.readouterr()
    assert "on rtl:    2 images" in shown.out
    assert "2 of 3 pictures are kept" in shown.out
    assert "run the same command to resume" in shown.err
    kept = sorted((tmp_path / "build" / "frames").glob("*/*.json"))
    kept = {path: path.stat().st_mtime_ns for path in kept if path.name != "job.json"}
    assert len(kept) == 2
    assert main([*inline, "--on", "rtl", "--json", str(tmp_path / "rtl.json")]) == 0
    assert "2 of 3 pictures are there from before" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert results(tmp_path / "rtl.json")["rtl"]["images"] == PICTURES


def test_damaged_result_is_computed_again(inline, tmp_path, capsys):
    assert main([*inline, "--on", "rtl"]) == 0
    first = next(path for path in (tmp_path / "build" / "frames").glob("*/*.json") if path.name != "job.json")
    whole = first.read_text()
    first.write_text(whole[:100])
    assert main([*inline, "--on", "rtl"]) == 0
    assert first.read_text() == whole


def test_values_that_differ_are_counted_and_located(inline, tmp_path, capsys, monkeypatch):
    import codesign.verify

    def wrong(*arguments, **options):
        frame = run_frame(*arguments, **options)
        frame.writes[2]["data"][-1] ^= 1
        return frame

    monkeypatch.setattr(codesign.verify, "run_frame", wrong)
    assert main([*inline, "--on", "rtl", "--images", "1", "--json", str(tmp_path / "rtl.json")]) == 1
    assert "first difference in layer" in capsys.readouterr().out
    assert results(tmp_path / "rtl.json")["rtl"]["mismatches"] > 0


def test_worker_that_fails_is_one_line(inline, monkeypatch, capsys):
    """Real processes, whose simulator is no library."""
    from codesign.build.children import Child

    monkeypatch.setattr(frames, "Child", Child)
    assert main([*inline, "--on", "rtl", "--jobs", "2"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "simulating a picture failed: cannot load the simulator" in error


def test_jobs_must_be_positive(inline, capsys):
    assert main([*inline, "--on", "rtl", "--jobs", "0"]) == 2
    assert "--jobs" in capsys.readouterr().err


def test_progress_says_what_is_left():
    assert remaining(30.0, 0, 5) == "30 s"
    assert remaining(30.0, 3, 5) == "30 s, about 50 s left"
