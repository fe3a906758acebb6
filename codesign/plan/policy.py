# SPDX-License-Identifier: Apache-2.0
"""Choices of the planner that no rule settles: each is tried, and the latency model decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """``beside``: groups that may run side by side (1: only their ends overlap); ``reserve``: new maps at home leave this
    share (one in so many) of the scratchpad free; ``strip_pixels``: the length of a strip above which it costs more than a
    longer pipeline gains."""

    beside: int = 3
    reserve: int = 6
    strip_pixels: int = 8192


POLICIES = (Policy(), Policy(reserve=3), Policy(beside=1, reserve=3), Policy(strip_pixels=20000))
