# SPDX-License-Identifier: Apache-2.0
"""`codesign bench`: the figures of the README, one row per configuration.

`measurement` does one configuration, `rows` keeps what is finished, `float_onnx` is the same network in floating point for
ONNX Runtime, `table` prints.
"""

from codesign.bench.measurement import Row, measure
from codesign.bench.rows import RowStore
from codesign.bench.table import markdown_table, text_table

__all__ = ["Row", "RowStore", "markdown_table", "measure", "text_table"]
