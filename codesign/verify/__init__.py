# SPDX-License-Identifier: Apache-2.0
"""Value-by-value comparison of a simulated frame with the golden model."""

from codesign.verify.compare import Comparison, Difference, compare
from codesign.verify.frame import EngineTrace, Frame, run_frame

__all__ = ["Comparison", "Difference", "EngineTrace", "Frame", "compare", "run_frame"]
