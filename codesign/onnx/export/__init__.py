# SPDX-License-Identifier: Apache-2.0
"""ONNX out: an integer graph as QONNX, or as ONNX's standard operators with QuantizeLinear and DequantizeLinear.

`scales` and `constants` find single-precision numbers that mean the same integers, `style` writes quantisers, `writer` the
operators, `proof` imports what was written and compares the integers.
"""

from codesign.onnx.export.exporter import FORMATS, export_model, export_proto
from codesign.onnx.export.writer import Written

__all__ = ["FORMATS", "Written", "export_model", "export_proto"]
