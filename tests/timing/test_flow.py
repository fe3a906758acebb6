# SPDX-License-Identifier: Apache-2.0
"""A small design with a known answer through Yosys and nextpnr, and what is kept of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from codesign.boards import load_board
from codesign.timing import ENGINES, flow
from codesign.timing.critical_path import CriticalPath
from codesign.timing.flow import Stages, measure
from codesign.timing.netlist import Netlist
from codesign.timing.rows import Row, RowStore
from codesign.timing.table import markdown_table, text_table, timing_json
from codesign.timing.wrapper import wrapped

BOARD = load_board("ulx3s-85f")
PRODUCT = """\
module engine(clk, a, b, p);
  input clk;
  input [15:0] a;
  input [15:0] b;
  output [31:0] p;
  reg [31:0] p;
  reg [31:0] product;
  always @(posedge clk) begin product <= a * b; p <= product + 1; end
endmodule
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_registers_around_its_ports(engine, tmp_path):
    file = tmp_path / "engine.v"
    command = [sys.executable, "-W", "ignore", "-m", "codesign.timing.worker", BOARD.spec, engine, str(file)]
    subprocess.run(command, check=True, capture_output=True)
    text = file.read_text()
    assert text.count("module engine") == text.count("module placed") == 1
    assert text.count("always @(posedge clk) port_") >= 8


@pytest.fixture
def small(monkeypatch):
    """`measure` works on a small design, whatever engine it is asked for; the answer counts its runs of the tools."""
    try:
        flow.tools()
    except flow.UserError as error:
        pytest.skip(f"skipped: {error}")
    ran = []
    run = flow._run

    def fake(command, log, folder=None, writes_log=False):
        if folder is not None:
            ran.append(log.stem)
            return run(command, log, folder, writes_log)
        file = log.parent / "engine.v"
        return file.write_text(wrapped(PRODUCT))

    monkeypatch.setattr(flow, "_run", fake)
    monkeypatch.setattr(flow, "DEVICE", ("--12k", "--package", "CABGA381", "--speed", "6"))  # quicker to load
    return ran


def test_a_multiplier_placed_and_kept(small, tmp_path):
    store = RowStore(tmp_path, BOARD, 1)
    row = measure("load", BOARD, store, 1, Stages())
    assert (row.dsp, row.bram, row.ff, row.reason) == (1, 0, 64, "")
    assert 50 < row.fmax_mhz < 1000
    assert row.path_from.startswith(("port ", "product", "p["))
    assert row.logic_ns + row.routing_ns == pytest.approx(1000 / row.fmax_mhz, abs=0.05)
    assert store.get("load") == replace(row, kept=True)
    assert store.get("store") is None
    again = measure("load", BOARD, RowStore(tmp_path, BOARD, 1), 1, Stages())
    assert (again.kept, small) == (True, ["yosys", "nextpnr"])
    assert RowStore(tmp_path, BOARD, 2).get("load") is None
    measure("load", BOARD, store, 1, Stages(), fresh=True)
    assert len(small) == 4


def test_what_a_tool_refuses_is_said_and_not_kept(small, tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "SCRIPT", "read_verilog engine.v\nsynth_ecp5 -top nothing\n")
    store = RowStore(tmp_path, BOARD, 1)
    row = measure("load", BOARD, store, 1, Stages())
    assert row.reason.startswith("ERROR: Module `nothing' not found")
    assert "yosys.log" in row.reason
    assert store.get("load") is None
    assert "load: not placed: ERROR" in "\n".join(text_table([row], BOARD))
    assert "load: not placed: ERROR" in markdown_table([row], BOARD)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"sources": 1}', '{"sources": 1, "content": 1, "row": {"colour": 1}}'])
def test_a_damaged_row_is_measured_again(content, tmp_path):
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "row.json").write_text(content)
    store = RowStore(tmp_path, BOARD, 1)
    assert store.get("load") is None
    assert store.get("load", "text") is None


def test_another_shape_of_the_accelerator_is_another_row(tmp_path):
    RowStore(tmp_path, BOARD, 1).put(Row("load", lut4=1), "text")
    wider = replace(BOARD, accelerator=replace(BOARD.accelerator, acc_bits=32))
    assert RowStore(tmp_path, wider, 1).get("load") is None
    assert RowStore(tmp_path, wider, 1).get("load", "text") == Row("load", lut4=1, kept=True)
    assert RowStore(tmp_path, wider, 1).get("load", "other text") is None


def step(kind: str, delay: float, start: str, end: str) -> dict[str, object]:
    return {"type": kind, "delay": delay, "from": {"cell": start}, "to": {"cell": end}}


def test_the_slowest_path_between_registers_counts():
    netlist = Netlist({"modules": {"placed": {"cells": {}, "netnames": {}, "ports": {}}}})
    slow = [step("clk-to-q", 0.5, "a", "a"), step("routing", 1.5, "a", "g"), step("logic", 0.25, "g", "g"),
            step("routing", 1.0, "g", "b"), step("setup", 0.125, "b", "b")]  # fmt: skip
    fast = [step("clk-to-q", 0.5, "c", "c"), step("routing", 0.5, "c", "d")]
    paths = [{"from": "posedge clk", "to": "posedge clk", "path": path} for path in (fast, slow)]
    port = {"from": "<async>", "to": "posedge clk", "path": [step("routing", 99.0, "x", "y")]}
    assert CriticalPath.read({"critical_paths": [port, *paths]}, netlist) == CriticalPath("a", "b", 0.88, 2.5, 1)
    assert CriticalPath.read({"critical_paths": [port]}, netlist) is None


def test_the_table_says_what_it_is():
    rows = [Row("load", 803, 922, 0, 0, 84.2, "now.address[5]", "now.rows[6]", 25, 4.15, 7.72, 10.0)]
    for text in ("\n".join(text_table(rows, BOARD)), markdown_table(rows, BOARD), json.dumps(timing_json(rows, BOARD, 1))):
        assert "laced and routed by nextpnr for ECP5-85" in text
        assert "no open timing sign-off for Xilinx parts exists" in text
        assert "now.address[5]" in text
        assert "84.2" in text
