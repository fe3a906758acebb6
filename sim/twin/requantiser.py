# SPDX-License-Identifier: Apache-2.0
"""The twin of `hw.requantise.Requantiser`: the definition's arithmetic in 64 bits instead of staged shifters."""

from __future__ import annotations

import re

from sim.twin import modules

NAME = "requantiser"
_PORT = re.compile(r"^  (?:input|output) .*;\n", re.M)
_SHARED = re.compile(r"^  assign (?:zero|lo|hi) += .*;\n", re.M)
_ACC = re.compile(r"^  input \[(\d+):0\] acc;", re.M)


def replaced(verilog: str) -> str:
    """The Verilog with twins in place of all requantisers, if its ``// twin`` line asks for it.

    Equal for values that fit 48 bits, which lowering proves; shifts below 8, of lanes that nothing reads, give ``lo`` or
    ``hi`` in both. Raises `ValueError`
    for stages other than these: bias one cycle after the product's operands, shift another later.
    """
    stages = modules.wanted(verilog, NAME)
    if stages is None:
        return verilog
    if (stages["bias_at"], stages["shift_at"]) != (1, 2) or stages["latency"] != stages["offset_at"] + 1:
        raise ValueError(f"no twin for a requantiser with stages {stages}")
    delay = stages["offset_at"] - stages["shift_at"] - 1
    return modules.replace_bodies(verilog, r"(?:bank|serialiser)\.lane\d+", lambda old: _body(old, delay))


def _body(old: str, delay: int) -> str:
    """Ports, and the parameters that are a part of one, as in the old body; ``delay`` registers before the clamp."""
    ports, shared = "".join(_PORT.findall(old)), "".join(_SHARED.findall(old))
    acc = _ACC.search(old)
    if acc is None:
        raise ValueError("a requantiser without the port acc")
    wires = "".join(f"  wire [7:0] {name};\n" for name in ("zero", "lo", "hi") if f"assign {name} " in shared)
    later = [f"rounded{stage}" for stage in range(delay + 1)]
    moves = "".join(f"    {b} <= {a};\n" for a, b in zip(later, later[1:], strict=False))
    return f"""\
{ports}{wires}{shared}\
  reg [7:0] code;
  reg signed [63:0] product, total, {", ".join(later)};
  wire signed [63:0] acc_wide = {{{{{63 - int(acc[1])}{{acc[{acc[1]}]}}}}, acc}};
  wire signed [63:0] bias_wide = {{{{16{{bias[47]}}}}, bias}};
  localparam signed [63:0] FAR = 64'sd65536;
  wire signed [63:0] twice = total <<< 1;
  wire [5:0] by = {{1'b0, shift}} + 6'd1;
  wire signed [63:0] floor = twice >>> by;
  wire signed [63:0] half = (64'sd1 << shift) - 64'sd1;
  wire signed [63:0] offset = {later[-1]} + $signed({{{{56{{zero[7]}}}}, zero}});
  wire signed [63:0] low = {{{{56{{lo[7]}}}}, lo}};
  wire signed [63:0] high = {{{{56{{hi[7]}}}}, hi}};
  always @(posedge clk) begin
    product <= acc_wide * $signed({{48'd0, multiplier}});
    {_sum(ports)}
    rounded0 <= shift < 5'd8 ? (total < 0 ? -FAR : FAR) : (twice + half + $signed({{63'd0, floor[0]}})) >>> by;
{moves}\
    code <= offset < low ? lo : offset > high ? hi : offset[7:0];
  end
"""


def _sum(ports: str) -> str:
    if "  input hold;" not in ports:
        return "total <= product + bias_wide;"
    return "if (!hold) total <= product + (add ? total : bias_wide);"
