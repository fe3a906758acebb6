# SPDX-License-Identifier: Apache-2.0
"""The integer graph: what lowering produces and golden, planner and RTL all execute."""
