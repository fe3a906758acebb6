# SPDX-License-Identifier: Apache-2.0
"""The runs behind `codesign eval`: pictures through a detector, scored, printed, plotted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.cli.output import console
from codesign.cli.progress import countdown

if TYPE_CHECKING:
    from codesign.build.detector import Detector
    from codesign.build.float_detector import FloatDetector
    from codesign.build.frames import FrameResult
    from codesign.data.sample import Sample
    from codesign.decode import Detections
    from codesign.evaluate.scores import Scores

Result = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated and what is asked of it; ``limit`` pictures at most, plots under ``plots``/ENGINE/."""

    detector: Detector | FloatDetector
    folder: Path
    limit: int | None
    metrics: Sequence[str]
    plots: Path | None
    threshold: float

    @cached_property
    def samples(self) -> list[Sample]:
        """The test split's pictures."""
        from codesign.data.folder import read_split

        return read_split(self.folder, "test", self.detector.labels)[: self.limit]


def one_by_one(run: Evaluation) -> Result:
    """One picture after the other, in this process."""
    from codesign.data.fit import fit_picture
    from codesign.data.sample import load_image
    from codesign.decode import Detections

    detector, samples = run.detector, run.samples
    found, began = [], time.monotonic()
    with countdown(console(), f"evaluating on {detector.on}", len(samples)) as report:
        for number, sample in enumerate(samples, start=1):
            fitted = fit_picture(load_image(sample.image), *detector.size, detector.fit)
            boxes = detector.detect(fitted.pixels)
            found.append(Detections(fitted.restore(boxes.boxes), boxes.scores, boxes.labels))
            report(number)
    seconds = time.monotonic() - began
    scores, result = scored(run, samples, found, detector.on)
    console().print(f"AP50 {result['ap50']:.4f} on {detector.on}: {len(samples)} images in {seconds:.1f} s")
    show(scores)
    return {**result, "on": detector.on, "seconds": seconds}


def on_rtl(run: Evaluation, jobs: int) -> list[Result]:
    """RTL and golden side by side in worker processes; on Ctrl-C what is done so far is scored and kept."""
    from codesign.build.frames import FramePool

    run.detector.context  # noqa: B018 - builds what is missing before the pictures are counted
    samples = run.samples
    pool = FramePool(run.detector.context, [sample.image for sample in samples], jobs)
    before, began = pool.done(), time.monotonic()
    say = console().print
    if before:
        say(f"{before} of {len(samples)} pictures are there from before, in {pool.folder}/")
    try:
        with countdown(console(), "evaluating on rtl", len(samples), before) as report:
            pool.run(report)
    except KeyboardInterrupt:
        _side_by_side(run, pool.results(), time.monotonic() - began, jobs)
        say(f"{pool.done()} of {len(samples)} pictures are kept in {pool.folder}/")
        raise
    return _side_by_side(run, pool.results(), time.monotonic() - began, jobs)


def _side_by_side(run: Evaluation, frames: list[FrameResult | None], seconds: float, jobs: int) -> list[Result]:
    """Print and return what the pictures that are done give."""
    say = console().print
    pairs = [(sample, frame) for sample, frame in zip(run.samples, frames, strict=True) if frame is not None]
    if not pairs:
        return []
    mine, done = [sample for sample, _ in pairs], [frame for _, frame in pairs]
    values, wrong = sum(f.values for f in done), sum(f.mismatches for f in done)
    scores, result = scored(run, mine, [f.rtl for f in done], "rtl")
    rtl = {**result, "on": "rtl", "seconds": seconds, "jobs": jobs}
    golden = {**scored(run, mine, [f.golden for f in done], "golden")[1], "on": "golden", "seconds": None}
    rtl |= {"golden_ap50": golden["ap50"], "values": values, "mismatches": wrong, "cycles": [f.cycles for f in done]}
    say(f"AP50 {rtl['ap50']:.4f} on rtl:    {len(done)} images in {seconds:.1f} s, {jobs} at a time")
    say(f"AP50 {golden['ap50']:.4f} on golden: the same images; {wrong:,} of {values:,} values of every tensor differ")
    first = next(((s, f) for s, f in pairs if f.mismatches), None)
    if first is not None:
        say(f"{first[0].image}: {first[1].first}", style="bold red")
    show(scores)
    return [rtl, golden]


def scored(run: Evaluation, samples: list[Sample], found: list[Detections], engine: str) -> tuple[Scores, Result]:
    """Every metric of these pictures' boxes, every picture's verdict, and the files plotted."""
    from codesign.cli.eval_plots import plot
    from codesign.evaluate.scores import score
    from codesign.evaluate.truth import Truth
    from codesign.evaluate.verdict import judge

    labels = run.detector.labels
    truths = [Truth(s.boxes, s.labels, s.difficult, s.crowd, s.areas) for s in samples]
    scores = score(found, truths, labels, run.metrics)
    verdicts = [judge(boxes, truth, run.threshold) for boxes, truth in zip(found, truths)]
    files = plot(run.plots / engine, scores, samples, truths, verdicts) if run.plots is not None else []
    rows = [{"image": str(s.image), "hits": v.hits, "misses": v.misses, "false": v.false, "f1": v.f1} for s, v in zip(samples, verdicts)]
    per_class = dict(zip(labels, scores.voc.per_class, strict=True))
    document = {"images": len(samples), "ap50": scores.voc.mean, "per_class": per_class, "metrics": scores.to_json()}
    return scores, document | {"threshold": run.threshold, "pictures": rows, "plots": [str(file) for file in files]}


def show(scores: Scores) -> None:
    """The table of classes."""
    for line in scores.table():
        console().print(f"  {line}")
