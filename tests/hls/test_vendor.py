# SPDX-License-Identifier: Apache-2.0
"""With Vivado HLS and Vivado on the PATH (here programs that interpret the Tcl) the build goes on; without, it says what to run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("hls4ml")
pytest.importorskip("tkinter", reason="skipped: this Python has no Tcl")

from codesign.boards import load_board
from codesign.build import BuildOptions
from codesign.build.hls.compile import project_hash
from codesign.build.hls.vendor import BITSTREAM, VendorStep
from codesign.build.step import Context
from codesign.hls.layer_list import layer_list
from codesign.hls.project import write_project
from tests.hls.fake_tools import install
from tests.hls.small_graph import small_graph

BOARD = load_board("pynq-z2")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    write_project(layer_list(small_graph()), BOARD.name, BOARD.clock_mhz, tmp_path / "hls4ml")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return Context(BuildOptions("pynq-z2", out=tmp_path), BOARD, tmp_path, lambda line: None, lambda line: None)


def calls(context: Context, tool: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for name, *words in json.loads(context.path(f"hls4ml/{tool}.calls.json").read_text()):
        found.setdefault(name, []).append(words)
    return found


def test_without_the_tools_the_line_says_what_to_run_and_that_runs(context: Context) -> None:
    outcome = VendorStep().run(context)
    assert outcome.status == "skipped" and outcome.reason.startswith("no RTL and no bitstream: Vivado HLS not found; where it is: cd ")
    install(context.folder / "bin", "vivado_hls", "vivado")
    assert os.system(outcome.reason.split("where it is: ")[1]) == 0
    assert context.path(BITSTREAM).exists()


@pytest.mark.parametrize("tool", ["vivado_hls", "vitis_hls", "vitis-run"])
def test_the_tools_make_rtl_and_bitstream(context: Context, tool: str) -> None:
    install(context.folder / "bin", tool, "vivado")
    step = VendorStep()
    before = step.inputs(context)
    outcome = step.run(context)
    assert outcome.status == "done" and f"RTL by {tool}" in outcome.reason and "design_1_wrapper.bit" in outcome.reason
    assert step.inputs(context) == before and project_hash(context, (".tcl",)), "what the tools leave does not make them run again"
    assert outcome.facts["estimated"] == {"lut": 4444, "ff": 3333, "dsp": 22, "bram18": 11, "latency": 12345, "interval": 6789}
    hls = calls(context, tool)
    assert hls["set_top"] == [["codesign_axi"]] and hls["set_part"] == [["xc7z020clg400-1"]]
    assert hls["create_clock"] == [["-period", "10.0", "-name", "default"]]
    assert "csynth_design" in hls and "csim_design" not in hls and "cosim_design" not in hls and hls["export_design"][0][:2] == ["-format", "ip_catalog"]
    design = calls(context, "vivado")
    (dma,) = (words for words in design["set_property"] if "c_include_sg" in " ".join(words))
    widths = dict(re.findall(r"CONFIG\.(c_m\w*data_width|c_s\w*data_width) (\S+)", " ".join(dma)))
    assert widths == {"c_m_axi_mm2s_data_width": "32", "c_m_axis_mm2s_tdata_width": "8",
                      "c_s_axis_s2mm_tdata_width": "8", "c_m_axi_s2mm_data_width": "32"}  # fmt: skip


def test_hls_alone_makes_rtl(context: Context) -> None:
    install(context.folder / "bin", "vivado_hls")
    outcome = VendorStep().run(context)
    assert outcome.status == "done" and "no bitstream: Vivado not found; where it is: cd" in outcome.reason


def test_a_tool_that_fails_or_makes_nothing_is_a_failed_step(context: Context) -> None:
    install(context.folder / "bin", "vivado_hls", code=3)
    outcome = VendorStep().run(context)
    assert outcome.status == "failed" and "vivado_hls ended with 3: ERROR: [HLS 200-70] no licence" in outcome.reason
    (context.folder / "bin/vivado_hls").write_text("#!/bin/sh\nexit 0\n")
    outcome = VendorStep().run(context)
    assert outcome.status == "failed" and "vivado_hls wrote no " in outcome.reason
