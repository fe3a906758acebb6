# SPDX-License-Identifier: Apache-2.0
"""Verilator's -Wall finds nothing in the generated top beyond the named waivers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from codesign.program.config import AcceleratorConfig
from hw.generate import TOP, port_list, verilog
from sim import toolchain
from tests.hw.test_top import SMALL

WAIVERS = Path(__file__).parents[2] / "hw" / "verilator.vlt"


def test_lint_clean(tmp_path: Path) -> None:
    text = tmp_path / f"{TOP}.v"
    text.write_text(verilog(AcceleratorConfig(**SMALL), monitors=True))
    tools = toolchain.find()
    done = subprocess.run(
        [str(tools.verilator), "--lint-only", "-Wall", "--top-module", TOP, str(WAIVERS), str(text)],
        env=tools.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:3000]


def test_port_list() -> None:
    one, two = (port_list(AcceleratorConfig(memory_ports=ports)) for ports in (1, 2))
    assert "in    64 m_axi_0_rdata" in one and "m_axi_1" not in one
    assert "out   32 m_axi_1_araddr" in two and "m_axi_1_awaddr" not in two
    assert "out    1 mon_retire_0_valid" in port_list(AcceleratorConfig(), monitors=True)
