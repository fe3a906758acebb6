# SPDX-License-Identifier: Apache-2.0
"""What differs between the processing systems of Zynq-7000 and Zynq UltraScale+, by the template's name.

Names of parameters, pins and segments are those of the IP (AMD PG082, processing_system7; PG201, zynq_ultra_ps_e).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessingSystem:
    """Pins and parameters; ``ports`` are for each memory port: slave interface, its clock pin, its address segment."""

    vlnv: str
    automation: str  #: rule that applies a board's preset
    control: str  #: master interface for the registers
    control_clock: str
    clock: str
    reset: str
    interrupt: str
    ports: tuple[tuple[str, str, str], ...]
    clock_parameter: str
    parameters: dict[str, str]
    port_parameters: tuple[dict[str, str], ...]


ZYNQ7 = ProcessingSystem(
    vlnv="xilinx.com:ip:processing_system7:5.5",
    automation="xilinx.com:bd_rule:processing_system7",
    control="M_AXI_GP0",
    control_clock="M_AXI_GP0_ACLK",
    clock="FCLK_CLK0",
    reset="FCLK_RESET0_N",
    interrupt="IRQ_F2P",
    ports=(
        ("S_AXI_HP0", "S_AXI_HP0_ACLK", "S_AXI_HP0/HP0_DDR_LOWOCM"),
        ("S_AXI_HP1", "S_AXI_HP1_ACLK", "S_AXI_HP1/HP1_DDR_LOWOCM"),
    ),
    clock_parameter="PCW_FPGA0_PERIPHERAL_FREQMHZ",
    parameters={
        "PCW_USE_M_AXI_GP0": "1",
        "PCW_USE_M_AXI_GP1": "0",
        "PCW_EN_CLK0_PORT": "1",
        "PCW_EN_RST0_PORT": "1",
        "PCW_USE_FABRIC_INTERRUPT": "1",
        "PCW_IRQ_F2P_INTR": "1",
    },
    port_parameters=(
        {"PCW_USE_S_AXI_HP0": "1", "PCW_S_AXI_HP0_DATA_WIDTH": "64"},
        {"PCW_USE_S_AXI_HP1": "1", "PCW_S_AXI_HP1_DATA_WIDTH": "64"},
    ),
)

ZYNQMP = ProcessingSystem(
    vlnv="xilinx.com:ip:zynq_ultra_ps_e",
    automation="xilinx.com:bd_rule:zynq_ultra_ps_e",
    control="M_AXI_HPM0_FPD",
    control_clock="maxihpm0_fpd_aclk",
    clock="pl_clk0",
    reset="pl_resetn0",
    interrupt="pl_ps_irq0",
    ports=(
        ("S_AXI_HP0_FPD", "saxihp0_fpd_aclk", "SAXIGP2/HP0_DDR_LOW"),
        ("S_AXI_HP1_FPD", "saxihp1_fpd_aclk", "SAXIGP3/HP1_DDR_LOW"),
    ),
    clock_parameter="PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ",
    parameters={
        "PSU__USE__M_AXI_GP0": "1",
        "PSU__MAXIGP0__DATA_WIDTH": "32",
        "PSU__USE__M_AXI_GP1": "0",
        "PSU__USE__M_AXI_GP2": "0",
        "PSU__FPGA_PL0_ENABLE": "1",
        "PSU__USE__IRQ0": "1",
    },
    port_parameters=(
        {"PSU__USE__S_AXI_GP2": "1", "PSU__SAXIGP2__DATA_WIDTH": "64"},
        {"PSU__USE__S_AXI_GP3": "1", "PSU__SAXIGP3__DATA_WIDTH": "64"},
    ),
)

SYSTEMS = {"zynq7": ZYNQ7, "zynqmp": ZYNQMP}
