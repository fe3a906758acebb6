# SPDX-License-Identifier: Apache-2.0
"""Planning: graph × configuration → instructions and parameters (NumPy only).

`views` says where each channel lives, `groups` what is fused, `strips` how a group is cut into rows, `memory` where
buffers lie, `emit` which instructions do it, `tokens` what each waits for, `planner` puts them in order.
"""

from codesign.plan.planner import Plan, plan

__all__ = ["Plan", "plan"]
