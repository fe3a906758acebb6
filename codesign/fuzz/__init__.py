# SPDX-License-Identifier: Apache-2.0
"""Differential fuzzing at scale: random layers and networks × accelerators × DRAM, every value of RTL against golden.

In the order in which a case passes through: `machines` and `case` say what it is, `source` draws its graph, `trial` runs
it, `boundaries` and `coverage` say what it reached, `journal` keeps it; `campaign` leads through many, `cut` and `shrink`
make a failing one small, `text` prints.
"""

from codesign.fuzz.case import Case
from codesign.fuzz.trial import Outcome, run_case

__all__ = ["Case", "Outcome", "run_case"]
