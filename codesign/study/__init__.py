# SPDX-License-Identifier: Apache-2.0
"""What a deformable decoder is worth: the same budget for every form of it, kinds of scene and seeds.

    variant, scenes, plan   what is run (data)         start, training, measure   one run (torch)
    budget, runner          what it costs; all runs    results                    one line a finished run
    table, distances, plot  what it shows (no torch)
"""

from codesign.study.plan import Run, StudyPlan, runs
from codesign.study.results import Results
from codesign.study.scenes import KINDS
from codesign.study.variant import VARIANTS

__all__ = ["KINDS", "VARIANTS", "Results", "Run", "StudyPlan", "runs"]
