# SPDX-License-Identifier: Apache-2.0
"""The folder that Vivado is handed: wrapper, Verilog, constraints and three Tcl scripts.

``vivado -mode batch -source build.tcl`` packages the IP, makes the block design and ends with overlay/codesign.bit and .hwh.
"""

from __future__ import annotations

from pathlib import Path

from codesign.boards import Board
from codesign.build.artefacts import write_whole
from codesign.errors import UserError
from codesign.vivado.tables import SYSTEMS, ProcessingSystem
from codesign.vivado.wrapper import CORE, TOP, interfaces, port_rows, wrapper

PROJECT, DESIGN = "codesign", "system"
IP = f"codesign:accelerator:{TOP}:1.0"
BUILD, PACKAGE, BLOCK = "build.tcl", "package_ip.tcl", "block_design.tcl"
OVERLAY = "../overlay"  #: from the folder of the scripts
_HEAD = "# SPDX-License-Identifier: Apache-2.0\n# Written by codesign for {title}.\n"


def hand_over(board: Board, folder: Path, verilog: str, ports: str) -> list[str]:
    """Write everything Vivado needs into ``folder``; the answer is the files' names. Raises `UserError` for boards without Zynq."""
    if board.vivado is None:
        raise UserError(f"board {board.name} has no [vivado] table: nothing to hand over to Vivado")
    files = {
        f"src/{TOP}.v": wrapper(port_rows(ports), board.accelerator),
        f"src/{CORE}.v": verilog,
        "src/constraints.xdc": board.constraints.read_text() if board.constraints else "",
        PACKAGE: _HEAD.format(title=board.title) + _package(board),
        BLOCK: _HEAD.format(title=board.title) + _block_design(board),
        BUILD: _HEAD.format(title=board.title) + _build(board),
    }
    for name, text in files.items():
        write_whole(folder / name, text)
    return sorted(files)


def _package(board: Board) -> str:
    """The accelerator as IP in ip/, its interfaces inferred from the wrapper's attributes."""
    masters = [interface.name for interface in interfaces(board.accelerator) if interface.mode == "master"]
    vendor, library, name, version = IP.split(":")
    return f"""\
set here [file dirname [file normalize [info script]]]
create_project -force package_ip $here/package_ip -part {board.device.part}
add_files [list $here/src/{CORE}.v $here/src/{TOP}.v]
set_property top {TOP} [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir $here/ip -vendor {vendor} -library {library} -taxonomy /UserIP -import_files -set_current true
set core [ipx::current_core]
set_property name {name} $core
set_property version {version} $core
set_property display_name {{codesign accelerator}} $core
foreach interface {{S_AXI {" ".join(masters)}}} {{
  if {{[llength [ipx::get_bus_interfaces $interface -of_objects $core]] != 1}} {{
    error "interface $interface was not recognised: see the X_INTERFACE attributes in src/{TOP}.v"
  }}
}}
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
"""


def _block_design(board: Board) -> str:
    """Processing system, its ports, clock, reset, interrupt and the address map."""
    vivado = board.vivado
    assert vivado is not None
    system = SYSTEMS[vivado.template]
    ports = range(board.accelerator.memory_ports)
    memory = "\n".join(_memory_port(system, port) for port in ports)
    addresses = "\n".join(_memory_address(system, port, vivado.memory_bytes) for port in ports)
    parameters = {**system.parameters, system.clock_parameter: f"{board.clock_mhz:g}"}
    for port in ports:
        parameters |= system.port_parameters[port]
    settings = " \\\n".join(f"  CONFIG.{key} {{{value}}}" for key, value in parameters.items())
    return f"""\
create_bd_design {DESIGN}
set ps [create_bd_cell -type ip -vlnv {system.vlnv} ps]
if {{[get_property board_part [current_project]] ne ""}} {{
  apply_bd_automation -rule {system.automation} -config {{apply_board_preset "1"}} $ps
}}
# behind the preset, which sets all of them
set_property -dict [list \\
{settings} \\
] $ps
create_bd_cell -type ip -vlnv {IP} accelerator
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control
set_property -dict [list CONFIG.NUM_SI {{1}} CONFIG.NUM_MI {{1}}] [get_bd_cells control]
connect_bd_intf_net [get_bd_intf_pins ps/{system.control}] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins accelerator/S_AXI]
{memory}
connect_bd_net [get_bd_pins ps/{system.clock}] \\
  [get_bd_pins ps/{system.control_clock}] [get_bd_pins reset/slowest_sync_clk] \\
  [get_bd_pins accelerator/aclk] [get_bd_pins control/aclk]
connect_bd_net [get_bd_pins ps/{system.reset}] [get_bd_pins reset/ext_reset_in]
connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins accelerator/aresetn]
connect_bd_net [get_bd_pins reset/interconnect_aresetn] [get_bd_pins control/aresetn]
connect_bd_net [get_bd_pins accelerator/irq] [get_bd_pins ps/{system.interrupt}]
assign_bd_address -target_address_space [get_bd_addr_spaces ps/Data] \\
  -offset {vivado.control_address:#010x} -range {vivado.control_bytes:#x} [get_bd_addr_segs accelerator/S_AXI/*]
{addresses}
validate_bd_design
save_bd_design
"""


def _memory_port(system: ProcessingSystem, port: int) -> str:
    """AXI4 to the processing system's port through a SmartConnect, which makes AXI3 of it on Zynq-7000."""
    slave, clock, _ = system.ports[port]
    return f"""\
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory{port}
set_property -dict [list CONFIG.NUM_SI {{1}} CONFIG.NUM_MI {{1}}] [get_bd_cells memory{port}]
connect_bd_intf_net [get_bd_intf_pins accelerator/M_AXI_{port}] [get_bd_intf_pins memory{port}/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins memory{port}/M00_AXI] [get_bd_intf_pins ps/{slave}]
connect_bd_net [get_bd_pins ps/{system.clock}] [get_bd_pins ps/{clock}] [get_bd_pins memory{port}/aclk]
connect_bd_net [get_bd_pins reset/interconnect_aresetn] [get_bd_pins memory{port}/aresetn]"""


def _memory_address(system: ProcessingSystem, port: int, size: int) -> str:
    segment = system.ports[port][2]
    return f"""\
assign_bd_address -target_address_space [get_bd_addr_spaces accelerator/M_AXI_{port}] \\
  -offset 0x00000000 -range {size:#x} [get_bd_addr_segs ps/{segment}]"""


def _build(board: Board) -> str:
    """Everything, from the sources to the overlay."""
    assert board.vivado is not None
    return f"""\
set here [file dirname [file normalize [info script]]]
source $here/{PACKAGE}
create_project -force {PROJECT} $here/project -part {board.device.part}
set known [get_board_parts -quiet {board.vivado.board_part}]
if {{[llength $known] == 1}} {{
  set_property board_part {board.vivado.board_part} [current_project]
}} else {{
  puts "no board files of {board.vivado.board_part}: DDR and pins of the processing system stay as the boot loader sets them"
}}
set_property ip_repo_paths [list $here/ip] [current_project]
update_ip_catalog
source $here/{BLOCK}
add_files -fileset constrs_1 [list $here/src/constraints.xdc]
add_files [list [make_wrapper -files [get_files {DESIGN}.bd] -top]]
set_property top {DESIGN}_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_runs impl_1
if {{[get_property PROGRESS [get_runs impl_1]] ne "100%"}} {{
  error "implementation failed: see $here/project/{PROJECT}.runs/impl_1/runme.log"
}}
open_run impl_1
report_timing_summary -file $here/timing.rpt
report_utilization -file $here/utilization.rpt
set slack [get_property SLACK [get_timing_paths -max_paths 1 -nworst 1 -setup]]
if {{$slack < 0}} {{
  error "timing is not met: slack $slack ns at {board.clock_mhz:g} MHz; see $here/timing.rpt"
}}
file mkdir $here/{OVERLAY}
file copy -force $here/project/{PROJECT}.runs/impl_1/{DESIGN}_wrapper.bit $here/{OVERLAY}/codesign.bit
foreach handoff [concat \\
    [glob -nocomplain $here/project/{PROJECT}.gen/sources_1/bd/{DESIGN}/hw_handoff/{DESIGN}.hwh] \\
    [glob -nocomplain $here/project/{PROJECT}.srcs/sources_1/bd/{DESIGN}/hw_handoff/{DESIGN}.hwh]] {{
  file copy -force $handoff $here/{OVERLAY}/codesign.hwh
}}
"""
