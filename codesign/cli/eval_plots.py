# SPDX-License-Identifier: Apache-2.0
"""What `codesign eval --plots DIR` writes: curves, and the best and worst pictures with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codesign.cli.output import console

if TYPE_CHECKING:
    from codesign.data.sample import Sample
    from codesign.evaluate.scores import Scores
    from codesign.evaluate.truth import Truth
    from codesign.evaluate.verdict import Verdict

COUNT = 5  #: best and worst pictures


def plot(folder: Path, scores: Scores, samples: Sequence[Sample], truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> list[Path]:
    """Write precision-recall.png, best-N.png and worst-N.png into ``folder``; older pictures there are replaced."""
    from codesign.evaluate.curves import draw_curves
    from codesign.evaluate.verdict import ordered

    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("precision-recall*.png"), *folder.glob("best-*.png"), *folder.glob("worst-*.png")]:
        old.unlink()
    files = draw_curves(scores, folder, f"precision over recall at IoU 0.5, {len(samples)} pictures ({folder.name}); dots: least score shown")
    order = ordered(verdicts)
    best = order[: min(COUNT, (len(order) + 1) // 2)]
    worst = [k for k in reversed(order[len(best) :])][:COUNT]
    for kind, chosen in (("best", best), ("worst", worst)):
        for place, k in enumerate(chosen, start=1):
            files.append(_picture(folder / f"{kind}-{place}.png", samples[k], truths[k], verdicts[k], scores.labels))
    console().print(f"curves, {len(best)} best and {len(worst)} worst pictures are in {folder}/")
    return files


def _picture(path: Path, sample: Sample, truth: Truth, verdict: Verdict, labels: Sequence[str]) -> Path:
    from codesign.data.sample import load_image
    from codesign.evaluate.drawing import draw_verdict

    title = f"{sample.name}: {verdict.hits} hit, {verdict.misses} missed, {verdict.false} false"
    draw_verdict(load_image(sample.image), truth, verdict, list(labels), title).save(path)
    return path
