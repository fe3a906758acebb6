# SPDX-License-Identifier: Apache-2.0
"""How many rows of its input a layer's ring must hold, and a walk that shows which row each slot holds when.

The kernels (`nnet_utils/codesign_rows.h`) write input row w while they compute the output row whose last input row is
w - 1. `reads_old_rows` replays that walk for a ring of any size: `Rows.ring` rows are enough for every geometry, one
row less is not as soon as a tap lies at its bound (tests/hls/test_rows.py, by exhaustion).
"""

from __future__ import annotations

from dataclasses import dataclass

FIXED, SQUARE, PAIRS = "fixed", "square", "pairs"


@dataclass(frozen=True)
class Rows:
    """Rows ``oy * stride - above`` to ``oy * stride + below`` are what output row oy may read."""

    height: int
    out_height: int
    stride: int
    above: int
    below: int

    @property
    def ring(self) -> int:
        """The rows that are read, and the one being written; never more than the image has."""
        return min(self.height, self.above + self.below + 2)

    @property
    def steps(self) -> int:
        """Row times of a frame: every row is read, then the last output row is computed."""
        return max(self.height, (self.out_height - 1) * self.stride + self.below + 2)


def window_rows(height: int, kernel: int, stride: int = 1, pad: int = 0) -> Rows:
    """A window at fixed taps. ``pad`` must be less than ``kernel``, and the padded image as tall as the window."""
    if not 0 <= pad < kernel or stride < 1:
        raise ValueError(f"kernel {kernel}, stride {stride}, pad {pad}: pad must be 0 to {kernel - 1}, stride 1 or more")
    if height + 2 * pad < kernel:
        raise ValueError(f"{height} rows with pad {pad} are fewer than the kernel's {kernel}")
    return Rows(height, (height + 2 * pad - kernel) // stride + 1, stride, pad, kernel - 1 - pad)


def deform_rows(height: int, kernel: int, form: str, bound: int) -> Rows:
    """A deformable kernel of odd size: the farthest tap is bound * (kernel // 2) rows away (square), or bound beyond
    the regular grid (pairs)."""
    if form not in (SQUARE, PAIRS) or bound < 0 or kernel % 2 == 0:
        raise ValueError(f"form {form!r}, bound {bound}, kernel {kernel}: square or pairs, 0 or more, odd")
    reach = kernel // 2 * bound if form == SQUARE else kernel // 2 + bound
    return Rows(height, height, 1, reach, reach)


def reads_old_rows(rows: Rows, ring: int) -> bool:
    """Whether some read of a whole frame finds another row in its slot than the one it wants, or one half written.

    Every row in reach that lies in the image is read at every column while row w is written pixel by pixel, so a slot
    counts as lost from the first pixel of the row that replaces it.
    """
    whole = ring >= rows.height
    held: dict[int, int] = {}
    oy = 0
    for w in range(rows.steps):
        if w < rows.height:
            held[w if whole else w % ring] = w
        if oy < rows.out_height and w - 1 >= oy * rows.stride + rows.below:
            last = min(oy * rows.stride + rows.below, rows.height - 1)
            for y in range(max(0, oy * rows.stride - rows.above), last + 1):
                if held.get(y if whole else y % ring) != y or (y == w and w < rows.height):
                    return True
            oy += 1
    return oy != rows.out_height
