# SPDX-License-Identifier: Apache-2.0
"""How each ONNX operator is lowered: one function per operator, `TABLE` lists them, `REWRITES` says what to do about others."""

from codesign.onnx.operators.table import REWRITES, TABLE

__all__ = ["REWRITES", "TABLE"]
