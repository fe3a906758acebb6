# SPDX-License-Identifier: Apache-2.0
"""`codesign timing`: each engine placed and routed for the largest ECP5, the one FPGA family here with open timing analysis.

`engines` names what is measured, `wrapper` gives it registers for neighbours, `flow` runs Yosys and nextpnr, `netlist` and
`critical_path` read what they say, `rows` keeps what is finished, `table` prints.
"""

from codesign.timing.engines import ENGINES, PIECES
from codesign.timing.flow import Stages, measure
from codesign.timing.rows import Row, RowStore
from codesign.timing.table import markdown_table, text_table, timing_json

__all__ = ["ENGINES", "PIECES", "Row", "RowStore", "Stages", "markdown_table", "measure", "text_table", "timing_json"]
