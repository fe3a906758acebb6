# SPDX-License-Identifier: Apache-2.0
"""What a results file says: AP50 by form and kind of scene over seeds, and paired differences with their spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from codesign.study.scenes import KINDS
from codesign.study.variant import VARIANTS

Row = dict[str, Any]
#: what is asked -> (form, what it is compared with)
QUESTIONS: tuple[tuple[str, str, str], ...] = (
    ("the operator: rounded square N = 7 over plain 3×3", "rounded7", "plain3"),
    ("the operator unbounded, in float, over plain 3×3", "free", "plain3"),
    ("a larger kernel: plain 7×7 over plain 3×3", "plain7", "plain3"),
    ("rounded square N = 7 over plain 7×7", "rounded7", "plain7"),
    ("the bound: pairs of N = 7 over unbounded ones", "pairs7", "free"),
    ("the square form over pairs, both N = 7, bilinear", "square7", "pairs7"),
    ("rounding: square N = 7, rounded over bilinear", "rounded7", "square7"),
    ("the range: rounded square N = 3 over N = 7", "rounded3", "rounded7"),
    ("the range: rounded square N = 1 over N = 7", "rounded1", "rounded7"),
)


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) over seeds; the deviation of one value is NaN."""

    mean: float
    deviation: float
    count: int

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return Spread(fmean(values), stdev(values) if len(values) > 1 else math.nan, len(values))

    @property
    def clear(self) -> bool:
        """Whether the mean of paired differences is further from 0 than twice its standard error."""
        return self.count > 1 and abs(self.mean) > 2 * self.deviation / math.sqrt(self.count)

    def text(self, signed: bool = False) -> str:
        """In points: '61.2 ± 0.8', with '(1)' where there is no spread to give."""
        value = f"{100 * self.mean:{'+' if signed else ''}.1f}"
        return f"{value} (1)" if math.isnan(self.deviation) else f"{value} ± {100 * self.deviation:.1f}"


@dataclass(frozen=True)
class Difference:
    """One question on one kind of scene: the form minus what it is compared with, seed by seed."""

    question: str
    kind: str
    gain: Spread


def main_plan(rows: Sequence[Row], plan: str | None = None) -> list[Row]:
    """Rows of one budget: `plan`, or the one with most runs (the later of equals)."""
    names = [row["plan"] for row in rows]
    if plan is None and names:
        plan = max(dict.fromkeys(reversed(names)), key=names.count)
    return [row for row in rows if row["plan"] == plan]


def accuracy(rows: Sequence[Row]) -> dict[str, dict[str, Spread]]:
    """form -> kind -> AP50 over seeds, in the order of the forms."""
    found: dict[str, dict[str, Spread]] = {}
    for variant in VARIANTS:
        for kind in kinds_of(rows):
            values = [r["ap50"] for r in rows if r["variant"] == variant and r["kind"] == kind]
            if values:
                found.setdefault(variant, {})[kind] = Spread.of(values)
    return found


def by_height(rows: Sequence[Row], kind: str) -> dict[str, dict[str, Spread]]:
    """form -> height of object -> AP50 over seeds, for one kind of scene."""
    found: dict[str, dict[str, Spread]] = {}
    for variant in VARIANTS:
        mine = [r["ap50_by_height"] for r in rows if r["variant"] == variant and r["kind"] == kind]
        for band in mine[0] if mine else ():
            values = [m[band] for m in mine if m.get(band) is not None]
            if values:
                found.setdefault(variant, {})[band] = Spread.of(values)
    return found


def differences(rows: Sequence[Row]) -> list[Difference]:
    """Every question that both forms answer for at least one seed."""
    ap50 = {(r["variant"], r["kind"], r["seed"]): r["ap50"] for r in rows}
    found = []
    for question, form, other in QUESTIONS:
        for kind in kinds_of(rows):
            pairs = [v - ap50[other, kind, s] for (f, k, s), v in ap50.items() if (f, k) == (form, kind) and (other, kind, s) in ap50]
            if pairs:
                found.append(Difference(question, kind, Spread.of(pairs)))
    return found


def kinds_of(rows: Sequence[Row]) -> list[str]:
    """Kinds of scene that occur, in their order."""
    present = {row["kind"] for row in rows}
    return [kind for kind in KINDS if kind in present]


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Per kind of scene: the best form, and whether the rounded operator or a larger kernel clearly pays."""
    lines = []
    table, gains = accuracy(rows), {(d.question, d.kind): d.gain for d in differences(rows)}
    for kind in kinds_of(rows):
        best = max((v for v in table if kind in table[v]), key=lambda v: table[v][kind].mean)
        said = [f"best is {VARIANTS[best].title} ({table[best][kind].text()})"]
        for name, position in (("the rounded square operator", 0), ("a 7×7 kernel", 2)):
            gain = gains.get((QUESTIONS[position][0], kind))
            if gain is not None:
                how = "clear" if gain.clear else "within the spread" if gain.count > 1 else "one seed: no spread"
                said.append(f"{name} {'gains' if gain.mean >= 0 else 'loses'} {gain.text(signed=True)} over plain 3×3 ({how})")
        lines.append(f"{KINDS[kind].title}: " + "; ".join(said))
    return lines
