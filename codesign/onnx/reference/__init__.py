# SPDX-License-Identifier: Apache-2.0
"""ONNX operators in floating point, one NumPy function each: `evaluate` runs one, `OPERATORS` lists them.

They define what an imported model means, fold its constants, and pass ONNX's own node tests (tests/onnx). Every function
takes (inputs, attributes): arrays in the operator's order, None for an optional one left out, and attributes by name. It
returns its outputs as a list. Arguments are trusted to be what shape inference accepted.
"""

from codesign.onnx.reference.table import OPERATORS, evaluate

__all__ = ["OPERATORS", "evaluate"]
