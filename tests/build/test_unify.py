# SPDX-License-Identifier: Apache-2.0
"""Equal modules become one, and nothing else changes."""

from __future__ import annotations

from codesign.build.unify import unify

TEXT = """\
module top(a, b);
  \\top.one  one (
    .\\port$12$0 (a),
    .clk(clk)
  );
  \\top.two  \\two$3  (
    .\\port$99$0 (\\port$5$1 ),
    .clk(clk)
  );
endmodule
module \\top.one (\\port$12$0 , clk);
  input \\port$12$0 ;
endmodule
module \\top.two (\\port$99$0 , clk);
  input \\port$99$0 ;
endmodule
module \\top.three (x, clk);
  input x;
endmodule
"""


def test_equal_modules_become_one():
    text = unify(TEXT)
    assert text.count("endmodule") == 3
    assert "  \\top.one  one (\n    .\\port$0 (a)," in text
    assert "  \\top.one  \\two$3 (\n    .\\port$0 (\\port$0 )," in text
    assert "\\top.two" not in text


def test_other_text_is_kept():
    text = "module m (a);\n  input a;\nendmodule\n"
    assert unify(text) == text


def test_zeros_at_power_up_are_left_out():
    clear = "  initial begin : clear_rows\n    integer row;\n    for (row = 0; row < 4; row = row + 1) rows[row] = 8'h00;\n  end\n"
    text = "module m (a);\n  input a;\nendmodule\n"
    assert unify(text.replace("endmodule", clear + "endmodule")) == text
