# SPDX-License-Identifier: Apache-2.0
"""Registers around an engine's ports, and the names of what Yosys makes of them."""

from __future__ import annotations

import pytest

from codesign.timing.netlist import Netlist
from codesign.timing.wrapper import wrapped

ENGINE = """\
module engine(clk, rst, read__data, \\program , write__valid);
  input clk;
  wire clk;
  input rst;
  input [7:0] read__data;
  input [3:0] \\program ;
  output write__valid;
  reg write__valid;
endmodule
"""


def test_every_port_but_the_clock_has_a_register():
    text = wrapped(ENGINE)
    for name in ("rst", "read__data", "program"):
        assert f"always @(posedge clk) port_{name} <= \\{name} ;" in text
    assert "always @(posedge clk) port_write__valid <= at_write__valid;" in text
    connections = (".clk(clk)", ".\\rst (port_rst)", ".\\read__data (port_read__data)", ".\\program (port_program)")
    assert f"engine engine ({', '.join(connections)}, .\\write__valid (at_write__valid));" in text
    assert "reg [7:0] port_read__data;" in text


@pytest.mark.parametrize("old, new", [("module engine", "module other"), ("clk", "clock"), ("input rst;", "input wire rst;")])
def test_text_it_cannot_wrap_is_refused(old, new):
    with pytest.raises(ValueError):
        wrapped(ENGINE.replace(old, new))


def flip_flop(out: int, data: int = 99) -> dict[str, object]:
    return {"type": "TRELLIS_FF", "connections": {"CLK": [1], "DI": [data], "Q": [out]}}


NETLIST = Netlist({"modules": {"placed": {
    "cells": {
        "engine.sum_TRELLIS_FF_Q_2": flip_flop(10),
        "engine.x_TRELLIS_FF_Q": flip_flop(11, 4),
        "write__valid_TRELLIS_FF_Q": flip_flop(13),
        "engine.flag_LUT4_D_Z_TRELLIS_FF_Q": flip_flop(12),
        "engine.bursts__payload_TRELLIS_FF_Q": flip_flop(15),
        "engine.dsp0.$signal_TRELLIS_FF_Q": flip_flop(16),
        "engine.made_LUT4_C_Z_TRELLIS_FF_Q": flip_flop(14),
        "engine.bank0.0.3": {"type": "DP16KD", "connections": {}},
        "engine.product_TRELLIS_FF_Q_7_DI_MULT18X18D_P21": {"type": "MULT18X18D", "connections": {}},
    },
    "ports": {"read__data": {"bits": [3, 4]}, "write__valid": {"bits": [13]}},
    "netnames": {
        "engine.sum": {"bits": [9, 10, "0"]},
        "engine.lane0.acc": {"bits": [9, 10]},
        "engine.x": {"bits": [11]},
        "write__valid": {"bits": [13]},
        "$auto$1": {"bits": [12]},
        "engine.made_LUT4_C_Z": {"bits": [14]},
        "engine.dsp0.$signal": {"bits": [16]},
        "engine.bursts__payload": {"bits": [15]},
        "engine.splitter.now": {"bits": [7, 8, 9, 15]},
        "engine.splitter.now.address": {"bits": [9, 15]},
        "engine.deep.down.ready": {"bits": [12]},
    },
}}})  # fmt: skip


@pytest.mark.parametrize(
    "cell, name",
    [
        ("engine.sum_TRELLIS_FF_Q_2", "sum[1]"),
        ("engine.x_TRELLIS_FF_Q", "port read.data[1]"),
        ("write__valid_TRELLIS_FF_Q", "port write.valid"),
        ("engine.flag_LUT4_D_Z_TRELLIS_FF_Q", "deep.down.ready"),
        ("engine.bursts__payload_TRELLIS_FF_Q", "splitter.now.address[1]"),
        ("engine.dsp0.$signal_TRELLIS_FF_Q", "dsp0.$signal"),
        ("engine.made_LUT4_C_Z_TRELLIS_FF_Q", "near made"),
        ("engine.bank0.0.3", "bank0 (DP16KD)"),
        ("engine.product_TRELLIS_FF_Q_7_DI_MULT18X18D_P21", "product (MULT18X18D)"),
        ("engine.results.0.0$RAMW_BLOCK", "results (RAM)"),
    ],
)
def test_a_cells_register_has_the_name_it_had_in_amaranth(cell, name):
    assert NETLIST.register(cell) == name


def test_registers_of_neighbours_are_not_the_engines():
    assert NETLIST.wrapper_registers() == 2
