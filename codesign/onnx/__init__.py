# SPDX-License-Identifier: Apache-2.0
"""ONNX in and out: quantised models (QONNX's Quant, or QuantizeLinear / DequantizeLinear) as integer graphs.

`reader` opens the file, `normalise` folds constants and finds shapes, `quantiser` reads scales and zero points, `lowering`
walks the operators through the table of `operators`; `check` says what an accelerator makes of it. `reference` holds the
operators in floating point, `export` writes graphs.
"""

from codesign.onnx.importer import Import, import_model, import_proto

__all__ = ["Import", "import_model", "import_proto"]
