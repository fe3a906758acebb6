# SPDX-License-Identifier: Apache-2.0
"""Which strips are worth trying for a group, best first."""

from __future__ import annotations

from codesign.plan.policy import Policy
from codesign.plan.steps import Shape

LEAST = 64  #: pixels of a strip that hide the next weight tile and the instruction's requantisation behind the array


def shapes(height: int, width: int, streamed: bool, policy: Policy) -> tuple[list[Shape], list[Shape]]:
    """(good, poor) shapes of a group whose output is ``height`` × ``width``."""
    rows = {-(-height // n) for n in range(1, height + 1)} | {r for r in (1, 3, 7, 15) if r <= height}
    good = sorted(
        (r for r in rows if r * width >= LEAST or r == height), key=lambda r: _cost(r, height, width, policy)
    )
    poor = sorted(rows - set(good), reverse=True)
    every = sorted(rows, reverse=True)
    if streamed:
        packed = [Shape(r, streamed=True, ahead=ahead, packed=True) for ahead in (True, False) for r in every]
        return [Shape(r, streamed=True) for r in good], [*(Shape(r, streamed=True) for r in poor), *packed]
    best = [Shape(r) for r in good] + [Shape(r, tight=True) for r in good]
    rest = [Shape(r, tight=True) for r in poor] + [Shape(r, tight=True, packed=True) for r in every]
    return best, [*rest, Shape(1, tight=True, ahead=False, packed=True)]


def _cost(rows: int, height: int, width: int, policy: Policy) -> float:
    """Share of time a strip's ends cost (short strips), and a pipeline of few strips (long ones)."""
    pixels, strips = rows * width, -(-height // rows)
    uneven = strips * rows / height - 1
    return 20 / pixels + (0.5 / strips if pixels > LEAST else 0) + pixels / policy.strip_pixels + 0.2 * uneven
