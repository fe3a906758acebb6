# SPDX-License-Identifier: Apache-2.0
"""Where two forms of a network first differ, what made the value, and which rule of the contract explains it."""

from codesign.diff.finding import Finding, LayerCheck, check_layers, clearest
from codesign.diff.operands import MISSING, Operands, operands
from codesign.diff.rules import Explanation, explain

__all__ = ["MISSING", "Explanation", "Finding", "LayerCheck", "Operands", "check_layers", "clearest", "explain", "operands"]
