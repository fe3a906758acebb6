# SPDX-License-Identifier: Apache-2.0
"""The tables of a study as Markdown lines."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.study.distances import SOURCE, WIDEST, histogram, layers_of, recommended, sentence, shares
from codesign.study.scenes import KINDS
from codesign.study.table import Row, accuracy, by_height, differences, kinds_of, verdicts
from codesign.study.variant import VARIANTS


def accuracy_lines(rows: Sequence[Row]) -> list[str]:
    """AP50 in points, mean ± deviation over seeds, and what a run costs."""
    kinds = kinds_of(rows)
    lines = ["| decoder | " + " | ".join(KINDS[k].title for k in kinds) + " | seeds | MMACs | training images/s |",
             "|---|" + "---:|" * (len(kinds) + 3)]  # fmt: skip
    for name, cells in accuracy(rows).items():
        mine = [r for r in rows if r["variant"] == name]
        speed = sum(r["images_per_s"] for r in mine) / len(mine)
        counts = "/".join(dict.fromkeys(str(cells[k].count) for k in kinds if k in cells))
        shown = " | ".join(cells[k].text() if k in cells else "–" for k in kinds)
        lines.append(f"| {VARIANTS[name].title} | {shown} | {counts} | {mine[0]['macs'] / 1e6:.1f} | {speed:.0f} |")
    return lines


def height_lines(rows: Sequence[Row], kind: str) -> list[str]:
    """AP50 by height of object on one kind of scene."""
    cells = by_height(rows, kind)
    bands = list(next(iter(cells.values()), {}))
    lines = [f"| {KINDS[kind].title} | " + " | ".join(bands) + " |", "|---|" + "---:|" * len(bands)]
    for name, row in cells.items():
        lines.append(f"| {VARIANTS[name].title} | " + " | ".join(row[b].text() if b in row else "–" for b in bands) + " |")
    return lines


def difference_lines(rows: Sequence[Row]) -> list[str]:
    """Paired differences; an asterisk where the mean is further from 0 than twice its standard error."""
    kinds, found = kinds_of(rows), differences(rows)
    lines = ["| points of AP50, paired by seed | " + " | ".join(KINDS[k].title for k in kinds) + " |",
             "|---|" + "---:|" * len(kinds)]  # fmt: skip
    for question in dict.fromkeys(d.question for d in found):
        cells = {d.kind: d.gain.text(signed=True) + (" *" if d.gain.clear else "") for d in found if d.question == question}
        lines.append(f"| {question} | " + " | ".join(cells.get(k, "–") for k in kinds) + " |")
    return lines


def distance_lines(rows: Sequence[Row]) -> list[str]:
    """Shares of whole distances, layer by layer, in percent."""
    lines = ["| % of distances | layer | " + " | ".join(map(str, range(WIDEST))) + f" | ≥ {WIDEST} |",
             "|---|---|" + "---:|" * (WIDEST + 1)]  # fmt: skip
    for kind in kinds_of(rows):
        for name in VARIANTS:
            for layer in layers_of(rows, name):
                counts = histogram(rows, name, kind, layer)
                if counts.sum():
                    cells = " | ".join(f"{100 * s:.1f}" for s in shares(counts))
                    lines.append(f"| {VARIANTS[name].title}, {KINDS[kind].title} | {layer} | {cells} |")
    return lines


def range_lines(rows: Sequence[Row], keep: float) -> list[str]:
    """The recommended range, by kind of scene and over all."""
    lines = []
    for kind in [*kinds_of(rows), None]:
        counts = histogram(rows, SOURCE, kind)
        if counts.sum():
            lines.append(f"{'all scenes' if kind is None else KINDS[kind].title}: {sentence(recommended(counts, keep))}")
    return lines


def report_lines(rows: Sequence[Row], keep: float) -> list[str]:
    """Everything `codesign study show` prints."""
    s = rows[0]["settings"]
    lines = [f"{len(rows)} runs of {s['train']} scenes × {s['epochs']} epochs at {s['size']}×{s['size']}, width 0.5x, float; "
             f"AP50 on {s['test']} held-out scenes, mean ± standard deviation over seeds", ""]  # fmt: skip
    lines += [*accuracy_lines(rows), "", *difference_lines(rows), "", "* further from 0 than twice its standard error", ""]
    for kind in kinds_of(rows):
        lines += [*height_lines(rows, kind), ""]
    lines += [*distance_lines(rows), "", *verdicts(rows), *range_lines(rows, keep)]
    return lines
