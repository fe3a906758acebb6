# SPDX-License-Identifier: Apache-2.0
"""The module with the pins: clock, reset, a button, eight LEDs."""

from __future__ import annotations

from codesign.boards import Ecp5

TOP, PLL, SELF_TEST = "top", "pll", "self_test"


def top(pins: Ecp5, pll: bool) -> str:
    """Verilog of `TOP` for these pins; with a ``pll`` between oscillator and clock, else the oscillator is the clock.

    Reset lasts until the clock has been stable for 256 cycles, and ends synchronously.
    """
    high = f",\n  output {pins.high}" if pins.high else ""
    tied = f"  assign {pins.high} = 1'b1;\n" if pins.high else ""
    clock = (
        f"  wire clock, locked;\n  {PLL} pll (.clkin({pins.clock}), .clkout(clock), .locked(locked));"
        if pll
        else f"  wire clock = {pins.clock}, locked = 1'b1;"
    )
    return f"""\
// SPDX-License-Identifier: Apache-2.0
// Written by codesign.
module {TOP} (
  input {pins.clock},
  input {pins.button},
  output [7:0] {pins.leds}{high}
);
{clock}
  reg [8:0] stable = 0;
  always @(posedge clock or negedge locked)
    if (!locked) stable <= 0;
    else if (!stable[8]) stable <= stable + 1;
  {SELF_TEST} {SELF_TEST} (.clk(clock), .rst(!stable[8]), .again({pins.button}), .led({pins.leds}));
{tied}endmodule
"""
