# SPDX-License-Identifier: Apache-2.0
"""Vivado as far as the scripts go: Tcl is a real interpreter's, Vivado's commands know cells, pins, parameters and segments.

What is not there, or is connected twice or to the wrong side, is an error, as it is in Vivado.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

INFO = re.compile(r'X_INTERFACE_INFO = "([\w.]+(?::[\w.]+)*):([\w.]+) (\w+) (\w+)"')
#: Pins of IP, and what they are: (interface, side) or "in"/"out". AMD PG082, PG201, PG164, PG247.
AXI_MASTER, AXI_SLAVE = ("axi", "master"), ("axi", "slave")
PINS = {
    "processing_system7": {
        "M_AXI_GP0": AXI_MASTER, "S_AXI_HP0": AXI_SLAVE, "S_AXI_HP1": AXI_SLAVE, "FCLK_CLK0": "out", "FCLK_RESET0_N": "out",
        "IRQ_F2P": "in", "M_AXI_GP0_ACLK": "in", "S_AXI_HP0_ACLK": "in", "S_AXI_HP1_ACLK": "in",
    },
    "zynq_ultra_ps_e": {
        "M_AXI_HPM0_FPD": AXI_MASTER, "S_AXI_HP0_FPD": AXI_SLAVE, "S_AXI_HP1_FPD": AXI_SLAVE, "pl_clk0": "out", "pl_resetn0": "out",
        "pl_ps_irq0": "in", "maxihpm0_fpd_aclk": "in", "saxihp0_fpd_aclk": "in", "saxihp1_fpd_aclk": "in",
    },
    "proc_sys_reset": {"slowest_sync_clk": "in", "ext_reset_in": "in", "peripheral_aresetn": "out", "interconnect_aresetn": "out"},
    "smartconnect": {"S00_AXI": AXI_SLAVE, "M00_AXI": AXI_MASTER, "aclk": "in", "aresetn": "in"},
}  # fmt: skip
#: Which parameters switch a pin of the processing system on
ENABLES = {
    "M_AXI_GP0": "PCW_USE_M_AXI_GP0", "S_AXI_HP0": "PCW_USE_S_AXI_HP0", "S_AXI_HP1": "PCW_USE_S_AXI_HP1", "IRQ_F2P": "PCW_IRQ_F2P_INTR",
    "FCLK_CLK0": "PCW_EN_CLK0_PORT", "FCLK_RESET0_N": "PCW_EN_RST0_PORT", "M_AXI_HPM0_FPD": "PSU__USE__M_AXI_GP0",
    "S_AXI_HP0_FPD": "PSU__USE__S_AXI_GP2", "S_AXI_HP1_FPD": "PSU__USE__S_AXI_GP3", "pl_clk0": "PSU__FPGA_PL0_ENABLE",
    "pl_ps_irq0": "PSU__USE__IRQ0",
}  # fmt: skip
PARAMETERS = {
    "processing_system7": {*ENABLES.values(), "PCW_USE_M_AXI_GP1", "PCW_USE_FABRIC_INTERRUPT", "PCW_FPGA0_PERIPHERAL_FREQMHZ",
                           "PCW_S_AXI_HP0_DATA_WIDTH", "PCW_S_AXI_HP1_DATA_WIDTH"},
    "zynq_ultra_ps_e": {*ENABLES.values(), "PSU__MAXIGP0__DATA_WIDTH", "PSU__USE__M_AXI_GP1", "PSU__USE__M_AXI_GP2",
                        "PSU__SAXIGP2__DATA_WIDTH", "PSU__SAXIGP3__DATA_WIDTH", "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"},
    "smartconnect": {"NUM_SI", "NUM_MI"},
}  # fmt: skip
SEGMENTS = {
    "processing_system7": {"S_AXI_HP0/HP0_DDR_LOWOCM", "S_AXI_HP1/HP1_DDR_LOWOCM"},
    "zynq_ultra_ps_e": {"SAXIGP2/HP0_DDR_LOW", "SAXIGP3/HP1_DDR_LOW"},
}


def wrapper_pins(text: str) -> dict[str, object]:
    """Interfaces and single pins that the wrapper's attributes declare."""
    pins: dict[str, object] = {}
    declared = re.findall(r"X_INTERFACE_INFO[^\n]*\n(?:\s*\(\*[^\n]*\n)*\s*(input|output)\s+wire\s+(?:\[\d+:0\] )?(\w+)", text)
    directions = {name: direction for direction, name in declared}
    for kind, _, name, _role in INFO.findall(text):
        if kind.endswith("aximm"):
            valid = "m_axi_0_arvalid" if name == "M_AXI_0" else f"{name.lower()}_arvalid"
            pins[name] = AXI_MASTER if directions[valid] == "output" else AXI_SLAVE
        else:
            pins[name] = "in" if directions[name] == "input" else "out"
    return pins


@dataclass
class FakeVivado:
    """Holds the project; ``folder`` is where the scripts lie."""

    folder: Path
    board_files: bool = False
    slack: float = 0.5
    cells: dict[str, str] = field(default_factory=dict)  #: name -> kind
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    driven: dict[str, str] = field(default_factory=dict)  #: pin -> its driver
    addresses: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def run(self, script: Path) -> None:
        """Source a script in a Tcl interpreter. Raises `tkinter.TclError` where it, or Vivado, would fail."""
        import tkinter

        tcl = tkinter.Tcl()
        for name in [name for name in dir(self) if name.startswith("do_")]:
            tcl.createcommand(name[3:].replace("__", "::"), self._command(name))
        tcl.eval(f"source {{{script}}}")

    def _command(self, name: str):
        def call(*words: object) -> str:
            self.commands.append(name[3:])
            answer = getattr(self, name)(*[str(word) for word in words])
            return "" if answer is None else str(answer)

        return call

    def _pins(self, cell: str) -> dict[str, object]:
        kind = self.cells[cell]
        if kind == "accelerator":
            return wrapper_pins((self.folder / "src/codesign_accelerator_axi.v").read_text())
        return PINS[kind]

    def _pin(self, path: str, interface: bool) -> str:
        cell, _, pin = path.strip().partition("/")
        kind = self._pins(cell)[pin]
        assert isinstance(kind, tuple) == interface, f"{path} is no {'interface' if interface else 'pin'}"
        needs = ENABLES.get(pin) if cell == "ps" else None
        assert needs is None or self.parameters["ps"].get(needs) == "1", f"{path} is not switched on by {needs}"
        return f"{cell}/{pin}"

    # projects and files
    def do_create_project(self, *words: str) -> None:
        self.properties["part"] = words[words.index("-part") + 1]
        self.properties["board_part"] = ""

    def do_close_project(self) -> None: ...

    def do_current_project(self) -> str:
        return "project"

    def do_current_fileset(self) -> str:
        return "sources"

    def do_add_files(self, *words: str) -> None:
        for path in words[-1].split():
            assert path == "made_wrapper.v" or Path(path).is_file(), f"{path} does not exist"
            self.files.append(Path(path))

    def do_update_compile_order(self, *words: str) -> None: ...

    def do_update_ip_catalog(self) -> None: ...

    def do_get_board_parts(self, *words: str) -> str:
        return words[-1] if self.board_files else ""

    def do_get_files(self, name: str) -> str:
        assert name == "system.bd"
        return name

    def do_make_wrapper(self, *words: str) -> str:
        assert words[1] == "system.bd"
        return "made_wrapper.v"

    def do_set_property(self, *words: str) -> None:
        if words[0] != "-dict":
            self.properties[words[0]] = words[1]
            return
        import tkinter

        values, cell = tkinter.Tcl().splitlist(words[1]), words[2]
        kind = self.cells[cell]
        for key, value in zip(values[::2], values[1::2], strict=True):
            name = key.removeprefix("CONFIG.")
            assert key.startswith("CONFIG.") and name in PARAMETERS[kind], f"{kind} has no parameter {key}"
            self.parameters.setdefault(cell, {})[name] = value

    def do_get_property(self, name: str, *_: str) -> str:
        return {"board_part": self.properties.get("board_part", ""), "PROGRESS": "100%", "SLACK": str(self.slack)}[name]

    # IP
    def do_ipx__package_project(self, *words: str) -> None: ...

    def do_ipx__current_core(self) -> str:
        return "core"

    def do_ipx__get_bus_interfaces(self, name: str, *_: str) -> str:
        return name if name in wrapper_pins((self.folder / "src/codesign_accelerator_axi.v").read_text()) else ""

    def do_ipx__create_xgui_files(self, core: str) -> None: ...

    def do_ipx__update_checksums(self, core: str) -> None: ...

    def do_ipx__check_integrity(self, core: str) -> None: ...

    def do_ipx__save_core(self, core: str) -> None: ...

    # the block design
    def do_create_bd_design(self, name: str) -> None:
        assert name == "system"

    def do_create_bd_cell(self, *words: str) -> str:
        vlnv, name = words[words.index("-vlnv") + 1], words[-1]
        kind = vlnv.split(":")[2]
        self.cells[name] = "accelerator" if vlnv == "codesign:accelerator:codesign_accelerator_axi:1.0" else kind
        assert self.cells[name] in (*PINS, "accelerator"), f"no IP {vlnv}"
        return name

    def do_get_bd_cells(self, name: str) -> str:
        assert name in self.cells
        return name

    def do_apply_bd_automation(self, *words: str) -> None:
        assert self.cells[words[-1]] in words[1]
        self.parameters["ps"] = {}

    def do_get_bd_intf_pins(self, path: str) -> str:
        return self._pin(path, True)

    def do_get_bd_pins(self, path: str) -> str:
        return self._pin(path, False)

    def do_connect_bd_intf_net(self, one: str, other: str) -> None:
        sides = {self._pins(path.split("/")[0])[path.split("/")[1]][1] for path in (one, other)}
        assert sides == {"master", "slave"}, f"{one} and {other} are of one side"
        assert not {one, other} & {end for link in self.links for end in link}, f"{one} or {other} is connected twice"
        self.links.append((one, other))

    def do_connect_bd_net(self, *pins: str) -> None:
        drivers = [pin for pin in pins if self._pins(pin.split("/")[0])[pin.split("/")[1]] == "out"]
        assert len(drivers) == 1, f"{pins}: {len(drivers)} drivers"
        for pin in pins:
            if pin != drivers[0]:
                assert pin not in self.driven, f"{pin} is driven twice"
                self.driven[pin] = drivers[0]

    def do_get_bd_addr_spaces(self, path: str) -> str:
        cell, _, name = path.partition("/")
        assert (cell, name) == ("ps", "Data") or self._pins(cell)[name] == AXI_MASTER
        return path

    def do_get_bd_addr_segs(self, path: str) -> str:
        cell, _, name = path.partition("/")
        if cell == "ps":
            assert name in SEGMENTS[self.cells["ps"]], f"no segment {path}"
        else:
            assert self._pins(cell)[name.split("/")[0]] == AXI_SLAVE
        return path

    def do_assign_bd_address(self, *words: str) -> None:
        value = {key: words[words.index(key) + 1] for key in ("-target_address_space", "-offset", "-range")}
        self.addresses[value["-target_address_space"], words[-1]] = (int(value["-offset"], 16), int(value["-range"], 16))

    def do_validate_bd_design(self) -> None:
        for cell in self.cells:
            for pin, kind in self._pins(cell).items():
                path = f"{cell}/{pin}"
                if kind == "in" and cell != "ps":
                    assert path in self.driven, f"{path} is not connected"
                if isinstance(kind, tuple) and cell != "ps":
                    assert path in {end for link in self.links for end in link}, f"{path} is not connected"

    def do_save_bd_design(self) -> None: ...

    # runs
    def do_launch_runs(self, *words: str) -> None:
        run = self.folder / "project/codesign.runs/impl_1"
        run.mkdir(parents=True, exist_ok=True)
        (run / "system_wrapper.bit").write_bytes(b"bits")
        handoff = self.folder / "project/codesign.gen/sources_1/bd/system/hw_handoff"
        handoff.mkdir(parents=True, exist_ok=True)
        (handoff / "system.hwh").write_bytes(b"<hwh/>")

    def do_wait_on_runs(self, run: str) -> None: ...

    def do_get_runs(self, run: str) -> str:
        return run

    def do_open_run(self, run: str) -> None: ...

    def do_report_timing_summary(self, *words: str) -> None: ...

    def do_report_utilization(self, *words: str) -> None: ...

    def do_get_timing_paths(self, *words: str) -> str:
        return "path"
