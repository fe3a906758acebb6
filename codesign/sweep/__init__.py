# SPDX-License-Identifier: Apache-2.0
"""`codesign sweep`: networks × accelerators × boards, searched and kept.

In the order of a sweep: `spec` reads the file, `choices` checks it, `space` lists networks and designs; `networks` trains or
loads and scores them, `hardware` searches the accelerators of each with `bound` and `screen` (fast) and the planner
(exact to about 1 %), `pareto` picks, `check` builds what was picked in RTL. Every answer is a `task` done by `work` in an
executor (`local`, `cluster`) and kept in `store`; `resources` estimates what a design takes of a device, `recommend` answers
"the fastest that..."; `runner` leads through it.
"""

from codesign.sweep.runner import Listener, run_sweep
from codesign.sweep.spec import SweepSpec, load_spec

__all__ = ["Listener", "SweepSpec", "load_spec", "run_sweep"]
