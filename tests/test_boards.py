# SPDX-License-Identifier: Apache-2.0
"""Board files: those that come with the package, and every kind of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.boards import FOLDER, Dram, known_boards, load_board
from codesign.errors import UserError

GOOD = (FOLDER / "pynq-z2.toml").read_text()


def test_pynq_z2_is_the_device_of_the_data_sheet() -> None:
    board = load_board("pynq-z2")
    device = board.device
    assert (device.lut, device.ff, device.dsp, device.bram36) == (53200, 106400, 220, 140)
    assert board.clock_mhz == 100
    assert board.dram == Dram(2, 8, 16, 40, 16, 8)
    assert board.accelerator.array_macs == 512


@pytest.mark.parametrize("name", known_boards())
def test_every_board_loads_and_fits(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    spad_kib = board.accelerator.spad_words * board.accelerator.word_bytes / 1024
    assert spad_kib / 4 < board.device.bram36, "a BRAM36 holds 4 KiB"


def test_zynq_boards_have_a_template_and_all_have_constraints() -> None:
    found = {name: load_board(name).vivado for name in known_boards()}
    assert {name: vivado.template for name, vivado in found.items() if vivado} == {"pynq-z2": "zynq7", "ultra96-v2": "zynqmp"}
    for name in known_boards():
        assert load_board(name).constraints.is_file()


def test_every_figure_of_a_shipped_board_says_where_it_is_from() -> None:
    """Device, clock, memory and Vivado values have a comment: a data sheet, or that they are an assumption."""
    for name in known_boards():
        table = ""
        for line in load_board(name).path.read_text().splitlines():
            table = line.split("]")[0][1:] if line.startswith("[") else table
            if " = " in line.split("#")[0] and table in ("device", "clock", "dram", "vivado"):
                key = line.split(" = ")[0]
                assert "#" in line or key in ("part", "family", "template"), f"{name}: {table}.{key}"


def test_a_path_loads_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD.replace('"pynq-z2"', '"mine"'))
    assert load_board(file).name == "mine"
    assert load_board(str(file)).path == file


def test_settings_behind_a_colon_change_the_board_and_its_name(tmp_path: Path) -> None:
    board = load_board("pynq-z2:array_out=32,latency_cycles=80")
    assert (board.accelerator.array_out, board.dram.latency_cycles) == (32, 80)
    assert board.name == "pynq-z2-array_out32-latency_cycles80"
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    other = load_board(f"{file}:mhz=120")
    assert other.clock_mhz == 120
    assert load_board(other.spec) == other


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("arrays=2", "unknown setting arrays; known: lanes"),
        ("array_out=many", "setting array_out = 'many': must be a whole number"),
        ("array_out", "setting array_out = '': must be a whole number"),
        ("array_out=33", "array_out = 33: must be 4, 8, 16 or 32"),
        ("", "unknown setting"),
    ],
)
def test_bad_settings_name_the_setting_and_the_rule(settings: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load_board(f"pynq-z2:{settings}")


def test_an_unknown_board_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="unknown board 'pynq-z3'; known: pynq-z2, ultra96-v2, ulx3s-85f"):
        load_board("pynq-z3")


BAD = {
    "negative clock": ("mhz = 100.0", "mhz = -100.0", "clock.mhz = -100.0: must be 1..1000"),
    "clock is not a number": ("mhz = 100.0", "mhz = nan", "clock.mhz = nan: must be 1..1000"),
    "clock is text": ("mhz = 100.0", 'mhz = "fast"', "clock.mhz = 'fast': must be a number"),
    "unknown key": ("mhz = 100.0", "mhz = 100.0\nghz = 1", "unknown key clock.ghz; known: mhz"),
    "unknown table": ("[clock]", "[clocks]\n[clock]", "unknown key clocks; known: name"),
    "missing key": ("dsp = 220", "", "key device.dsp is missing"),
    "missing table": ("[clock]\nmhz = 100.0", "", "[clock] is missing"),
    "truth for a number": ("dsp = 220", "dsp = true", "device.dsp = True: must be a whole number"),
    "table for a number": ("dsp = 220", "dsp = {}", "device.dsp = {}: must be a whole number"),
    "number for a table": ('title = "TUL PYNQ-Z2"', "title = 'x'\ndram = 3\n[d]", "not valid TOML"),
    "a table twice": ('title = "TUL PYNQ-Z2"', "title = 'x'\nclock = 3", "not valid TOML"),
    "zero latency": ("latency_cycles = 40", "latency_cycles = 0", "dram.latency_cycles = 0: must be 1..1000"),
    "family": ('"xc7"', '"xc9"', "device.family = 'xc9': must be one of xc7, xcup, ecp5"),
    "too many ports": ("ports = 2  ", "ports = 1  ", "accelerator.memory_ports = 2: dram.ports is 1"),
    "accelerator": ("lanes = 32", "lanes = 31", "accelerator setting lanes = 31: must be 16 or 32"),
    "unknown setting": ("lanes = 32", "lane = 32", "unknown key accelerator.lane; known: lanes"),
    "path in the name": ('name = "pynq-z2"', 'name = "../x"', "name = '../x': letters, digits"),
    "template": ('"zynq7"', '"zynq8"', "vivado.template = 'zynq8': must be one of zynq7, zynqmp"),
    "address": ("0x43C00000", "0x43C00800", "vivado.control_bytes: must be a power of two"),
    "Tcl in a name": ("tul.com.tw:", "[exec ls]", "vivado.board_part = '[exec ls]pynq-z2:part0:1.0': letters, digits"),
    "constraints elsewhere": ('"pynq-z2.xdc"', '"../pynq-z2.xdc"', "constraints.file = '../pynq-z2.xdc': must be the name"),
    "no constraints": ('"pynq-z2.xdc"', '"none.xdc"', "constraints.file = 'none.xdc': must be the name"),
    "open pins on Zynq": (
        "[clock]", '[ecp5]\noscillator_mhz = 25.0\nclock = "c"\nbutton = "b"\nleds = "l"\nhigh = ""\n[clock]',
        "[ecp5] is for device.family = 'ecp5', not 'xc7'",
    ),
    "not TOML": ("[clock]", "[clock", "not valid TOML"),
    "number too long": ("dsp = 220", "dsp = " + "9" * 5000, "not valid TOML: a number of more than"),
    "number beyond float": ("mhz = 100.0", "mhz = 1" + "0" * 400, "clock.mhz = 1"),
    "long hexadecimal": ("dsp = 220", "dsp = 0x" + "f" * 9000, "device.dsp = (a very long number): must be"),
    "nested too deep": ("dsp = 220", "dsp = " + "[" * 20000, "not valid TOML"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_with_file_key_value_rule(case: str, tmp_path: Path) -> None:
    old, new, message = BAD[case]
    text = GOOD if "\n" not in old else "\n".join(line.split("#")[0].rstrip() for line in GOOD.splitlines())
    assert old in text
    file = tmp_path / "bad.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_board(file)
    assert message in str(error.value)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="NUL"):
        load_board("a\0b.toml")
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load_board(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        load_board(tmp_path / "folder.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not valid TOML"):
        load_board(tmp_path / "binary.toml")
    with open(tmp_path / "huge.toml", "wb") as handle:
        handle.truncate(1 << 33)
    with pytest.raises(UserError, match="larger than 65536 bytes"):
        load_board(tmp_path / "huge.toml")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('clock = "clk_25mhz"', 'clock = "clk); endmodule"', "ecp5: 'clk); endmodule' is no pin's name"),
        ('leds = "led"', 'leds = "fire1"', "ecp5: two pins have one name"),
        ("oscillator_mhz = 25.0", "oscillator_mhz = 0.0", "ecp5.oscillator_mhz = 0.0: must be 1..1000"),
        ('button = "fire1"', "", "key ecp5.button is missing"),
        ('high = "wifi_gpio0"', 'high = 7', "ecp5.high = 7: must be text"),
    ],
)
def test_pins_of_the_open_flow_are_checked(old: str, new: str, says: str, tmp_path: Path) -> None:
    text = load_board("ulx3s-85f").path.read_text()
    assert old in text
    (tmp_path / "bad.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_board(tmp_path / "bad.toml")
    assert says in str(error.value) and "\n" not in str(error.value)
