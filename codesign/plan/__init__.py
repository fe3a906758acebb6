# SPDX-License-Identifier: Apache-2.0
"""Planning: graph × configuration → instructions and parameters (NumPy only).

In the order in which a graph passes through: `placement` gives each channel a plane and a lane (`views` says what a tensor
is then), `groups` what runs fused, `shapes` and `strips` how a group is cut into rows, as `steps`; `pipeline` joins the
steps of neighbouring groups, `residency` and `memory` say where buffers lie; `perform` turns steps into instructions with
`emit`, `emit_pointwise` and `emit_gather`, `tokens` what each waits for, `params` the weights; `assemble` lays all out in
DRAM. `planner` leads through it by a `policy`; `latency` predicts the cycles and decides between policies.
"""

from codesign.plan.planner import Plan, plan

__all__ = ["Plan", "plan"]
