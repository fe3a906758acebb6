# SPDX-License-Identifier: Apache-2.0
"""Axes of an SVG chart: scales, ticks, and marks that say what they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 44


@dataclass(frozen=True)
class Scale:
    """From values to places between ``first`` and ``last`` (pixels)."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.first + (at - low) / (high - low) * (self.last - self.first)

    def ticks(self, count: int = 6) -> list[float]:
        """Round values, some ``count`` of them."""
        if self.log and self.high > 12 * self.low:
            return self._log_ticks(count)
        step = 10 ** math.floor(math.log10((self.high - self.low) / count))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= count)
        start = math.ceil(self.low / step - 1e-9)
        return [round(n * step, 12) for n in range(start, math.floor(self.high / step + 1e-9) + 1)]

    def _log_ticks(self, count: int) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            found = [m * 10.0**d for d in decades for m in steps if self.low <= m * 10.0**d <= self.high]
            if len(found) <= count:
                break
        return found if len(found) >= 2 else [self.low, self.high]


def number(value: float) -> str:
    """A value of an axis or a note."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


@dataclass(frozen=True)
class Frame:
    """A chart of ``width`` × ``height`` with both axes."""

    x: Scale
    y: Scale
    width: int
    height: int
    x_name: str
    y_name: str

    def svg(self, marks: str, name: str) -> str:
        """The drawing; ``name`` is read to those who do not see it."""
        ticks = []
        base, top = self.height - BOTTOM, TOP
        for value in self.x.ticks():
            at = self.x(value)
            ticks.append(f'<path class="grid" d="M{at:.1f} {top}V{base}"/><text x="{at:.1f}" y="{base + 16}" text-anchor="middle" class="soft">{number(value)}</text>')
        for value in self.y.ticks():
            at = self.y(value)
            ticks.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{self.width - RIGHT}"/><text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" class="soft">{number(value)}</text>')
        names = (f'<text x="{(LEFT + self.width - RIGHT) / 2}" y="{self.height - 6}" text-anchor="middle">{escape(self.x_name)}</text>'
                 f'<text transform="translate(13 {(base + top) / 2}) rotate(-90)" text-anchor="middle">{escape(self.y_name)}</text>')  # fmt: skip
        return drawing(self.width, self.height, "".join(ticks) + names + marks, name)


def frame(xs: tuple[float, float], ys: tuple[float, float], names: tuple[str, str], log: tuple[bool, bool], size: tuple[int, int] = (760, 420)) -> Frame:
    """Axes over these ranges; ``names`` and ``log`` of x and y."""
    width, height = size
    x = Scale(*xs, LEFT, width - RIGHT, log[0])
    return Frame(x, Scale(*ys, height - BOTTOM, TOP, log[1]), width, height, *names)


def drawing(width: float, height: float, marks: str, name: str) -> str:
    return f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(name)}">{marks}</svg>'


def noted(tip: str, key: bool = False) -> str:
    """Attributes of a mark that says ``tip`` under the pointer; ``key``: reached with the keyboard, too."""
    return f'data-tip="{escape(tip)}"' + (" data-key" if key else "")


def widened(values: list[float], log: bool, share: float = 0.06) -> tuple[float, float]:
    """The values' range with some room at both ends."""
    low, high = min(values), max(values)
    if log:
        room = max((high / low) ** share, 1.1)
        return low / room, high * room
    room = max((high - low) * share, abs(high) * 0.01, 1e-9)
    return low - room, high + room
