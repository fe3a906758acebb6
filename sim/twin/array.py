# SPDX-License-Identifier: Apache-2.0
"""The twin of `hw.array.DotArray`: a call of array.hpp each clock edge."""

from __future__ import annotations

import re

from sim.twin import modules

NAME = "dot_array"
_INPUT = re.compile(r"^  input .*;\n", re.M)


def body(old: str, lanes: int, outputs: int, latency: int) -> str:
    """What stands between the module's head and ``endmodule``; the inputs are those of the ``old`` body."""
    index = (lanes * outputs // 8 - 1).bit_length()
    width = 17 if lanes == 32 else 16
    return f"""\
{"".join(_INPUT.findall(old))}\
  output reg [{width * outputs - 1}:0] sums;
  import "DPI-C" function chandle twin_array_new(input int lanes, input int outputs, input int latency);
  import "DPI-C" function void twin_array_delete(input chandle state);
  import "DPI-C" function void twin_array_clock(
    input chandle state, input int unsigned load, input int unsigned index, input longint unsigned data,
    input int unsigned swap, input bit [{8 * lanes - 1}:0] x, output bit [{width * outputs - 1}:0] sums);
  chandle state;
  bit [{width * outputs - 1}:0] now;
  initial state = twin_array_new({lanes}, {outputs}, {latency});
  final twin_array_delete(state);
  always @(posedge clk) begin
    twin_array_clock(state, {{30'd0, load_wide, load}}, {{{32 - index}'d0, load_index}},
      load_data, {{30'd0, swap_high, swap}}, x, now);
    sums <= now;
  end
"""


def replaced(verilog: str) -> str:
    """The Verilog with the twin in place of the pointwise engine's array, if its ``// twin`` line asks for it."""
    shape = modules.wanted(verilog, NAME)
    if shape is None:
        return verilog
    return modules.replace_bodies(verilog, r"pointwise\.array", lambda old: body(old, **shape))
