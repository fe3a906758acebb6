# SPDX-License-Identifier: Apache-2.0
"""`codesign bench`: a row per configuration, kept when finished, with the instruction-set model in place of the RTL."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import codesign.bench.measurement
from codesign.bench import RowStore, markdown_table, text_table
from codesign.bench.float_time import FloatTime
from codesign.boards import load_board
from codesign.build import BuildOptions
from codesign.cli import main
from codesign.graph.ir import Graph
from codesign.lower.random_net import random_graph
from tests.build.fakes import run_frame


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Every configuration is the same 64 x 64 network; the names of the measured ones are returned."""
    import codesign.api
    import codesign.build.steps.lower
    import codesign.verify

    small, measured = random_graph("b", height=64, width=64), []

    def lowered(options: BuildOptions) -> Graph:
        return replace(small, meta={**small.meta, "config": options.config})

    def frame(library, program, board, codes, progress=None, **_):
        progress(1000)
        return run_frame(library, program, board, codes)

    def lowering(options):
        measured.append(options.config)
        return lambda: small

    monkeypatch.setattr(codesign.api, "verilog", lambda config: "module m; endmodule\n")
    monkeypatch.setattr(codesign.api, "simulator", lambda text, config: tmp_path / "libsim.so")
    monkeypatch.setattr(codesign.build.steps.lower, "lowered", lowered)
    monkeypatch.setattr(BuildOptions, "trained_model", None)
    monkeypatch.setattr(codesign.bench.measurement, "_lowering", lowering)
    monkeypatch.setattr(codesign.bench.measurement, "float_time", lambda graph, codes: FloatTime(0.025, 2, "1.0"))
    monkeypatch.setattr(codesign.verify, "run_frame", frame)
    return measured


def test_table_in_three_forms(quick, tmp_path, capsys):
    files = ["--json", str(tmp_path / "bench.json"), "--markdown", str(tmp_path / "bench.md")]
    assert main(["bench", "--configs", "a,c", "--out", str(tmp_path / "rows"), *files]) == 0
    out = capsys.readouterr().out
    assert "[2/2] configuration c" in out
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert [row["config"] for row in rows] == ["a", "c"]
    cycles = rows[0]["cycles"]
    assert rows[0]["mac_efficiency"] == pytest.approx(rows[0]["macs"] / (608 * cycles))
    assert rows[0]["fps"] == pytest.approx(100e6 / cycles)
    for text in (f"{cycles:,}", "0 of 521,844", "simulated, at 100 MHz", "512 + 96 multipliers", "ONNX Runtime 1.0, 2 threads"):
        assert text in out
        assert text in (tmp_path / "bench.md").read_text()
    table = (tmp_path / "bench.md").read_text().splitlines()[:4]
    assert len({line.count("|") for line in table}) == 1


def test_killed_run_goes_on_with_the_next_configuration(quick, tmp_path, capsys, monkeypatch):
    import codesign.verify

    whole, count = codesign.verify.run_frame, []

    def killed(*arguments, **options):
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    command = ["bench", "--configs", "a,b,c", "--out", str(tmp_path / "rows")]
    with monkeypatch.context() as patch:
        patch.setattr(codesign.verify, "run_frame", killed)
        assert main(command) == 130
    assert main(command) == 0
    assert quick == ["a", "b", "b", "c"]
    assert "configuration a on TUL PYNQ-Z2 kept from before" in capsys.readouterr().out
    assert main([*command, "--fresh"]) == 0
    assert quick[4:] == ["a", "b", "c"]


def test_row_of_another_board_or_damaged_is_measured_again(quick, tmp_path, capsys):
    out = tmp_path / "rows"
    assert main(["bench", "--configs", "a", "--out", str(out)]) == 0
    board, options = load_board("pynq-z2"), BuildOptions("pynq-z2", "a")
    assert RowStore(out, board).get(options) is not None
    slower = replace(board, dram=replace(board.dram, latency_cycles=80))
    assert RowStore(out, slower).get(options) is None
    path = out / "pynq-z2-a.json"
    for damaged in ("{", json.dumps({"key": json.loads(path.read_text())["key"], "row": {"config": "a"}}), "[]"):
        path.write_text(damaged)
        assert RowStore(out, board).get(options) is None


def test_values_that_differ_are_exit_code_1(quick, tmp_path, capsys, monkeypatch):
    import codesign.verify

    whole = codesign.verify.run_frame

    def wrong(*arguments, **options):
        frame = whole(*arguments, **options)
        frame.writes[2]["data"][-1] ^= 1
        return frame

    monkeypatch.setattr(codesign.verify, "run_frame", wrong)
    assert main(["bench", "--configs", "a", "--out", str(tmp_path / "rows")]) == 1
    assert "first difference in layer" in capsys.readouterr().out


def test_missing_float_time_is_said(quick, tmp_path, capsys, monkeypatch):
    reason = "onnxruntime is not installed: pip install 'codesign[bench]'"
    monkeypatch.setattr(codesign.bench.measurement, "float_time", lambda *_: FloatTime(None, 0, "", reason))
    assert main(["bench", "--configs", "a", "--out", str(tmp_path / "rows")]) == 0
    assert f"No ONNX float time: {reason}." in capsys.readouterr().out


def test_tables_of_no_rows_have_their_notes():
    board = load_board("pynq-z2")
    assert "simulated" in "".join(text_table([], board))
    assert markdown_table([], board).startswith("| config |")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--configs", "a,z"], "unknown configuration 'z'"),
        (["--configs", ""], "unknown configuration ''"),
        (["--board", "none"], "unknown board 'none'"),
        (["--board", "missing.toml"], "missing.toml: cannot be read"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, words, capsys, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
