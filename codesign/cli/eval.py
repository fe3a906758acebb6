# SPDX-License-Identifier: Apache-2.0
"""`codesign eval`: AP50 on held-out pictures."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.build import Config, Json, Model
from codesign.cli.output import BuildPrinter, console, write_json
from codesign.cli.progress import countdown

if TYPE_CHECKING:
    from codesign.build.detector import Detector
    from codesign.build.frames import FrameResult
    from codesign.data.voc import Sample
    from codesign.decode import Detections

Result = dict[str, Any]


def eval_command(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Pascal VOC folder; without it, generated digit scenes.")
    ] = None,
    on: Annotated[str, typer.Option("--on", help="float, brevitas, golden or rtl; several with commas.")] = "golden",
    images: Annotated[int | None, typer.Option("--images", min=1, help="At most so many pictures.")] = None,
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose RTL runs.")] = "pynq-z2",
    config: Config = "b",
    model: Model = None,
    build_dir: Annotated[Path | None, typer.Option("--build", metavar="DIR", help="Build folder of the RTL.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Simulations at a time; default: one per core.")] = None,
    json: Json = None,
) -> int:
    """Average precision at IoU 0.5 over the folder's test split (mean of the classes, Pascal VOC).

    With rtl, golden runs beside it and every tensor of every picture is compared; interrupt it and it resumes.
    """
    from codesign.build import BuildOptions
    from codesign.build.detector import Detector
    from codesign.cli.train import DIGITS, digit_scenes

    folder = data if data is not None else digit_scenes(DIGITS)
    options = BuildOptions(board, config, model, out=build_dir)
    say, results = console().print, []
    for engine in _engines(on):
        if engine == "float":
            results.append(_recorded(options.trained_model))
            say(f"AP50 {results[-1]['ap50']:.4f} on float: recorded by training on its own test split, before quantisation")
            continue
        detector = Detector(options, engine, BuildPrinter(details=False))
        if engine == "rtl":
            results += _on_rtl(detector, folder, images, jobs or len(os.sched_getaffinity(0)))
        else:
            results.append(_score(detector, folder, images))
            say(f"AP50 {results[-1]['ap50']:.4f} on {engine}: {results[-1]['images']} images in {results[-1]['seconds']:.1f} s")
    write_json(json, {"data": str(folder), "results": results})
    return 1 if any(result.get("mismatches") for result in results) else 0


def _engines(on: str) -> list[str]:
    """In the order given; golden runs beside the RTL anyway."""
    named = [engine.strip() for engine in on.split(",")]
    return [engine for engine in named if engine != "golden" or "rtl" not in named]


def _recorded(model: Path | None) -> Result:
    """A model file holds integer weights only: the float network's figure is the one that training measured."""
    from codesign.errors import UserError
    from codesign.nn.model_file import read_info

    recorded = None if model is None else read_info(model).metrics.get("ap50_float")
    if recorded is None:
        raise UserError("--on float: no model file that records its float AP50; `codesign train` writes one")
    return {"on": "float", "ap50": recorded, "recorded": True}


def _score(detector: Detector, folder: Path, limit: int | None) -> Result:
    """One picture after the other, in this process."""
    from codesign.build.pictures import stretch
    from codesign.data.voc import load_image, read_split
    from codesign.decode import Detections

    samples = read_split(folder, "test", detector.labels)[:limit]
    found, began = [], time.monotonic()
    with countdown(console(), f"evaluating on {detector.on}", len(samples)) as report:
        for number, sample in enumerate(samples, start=1):
            fitted = stretch(load_image(sample.image), *detector.size)  # as training fits its pictures
            boxes = detector.detect(fitted.pixels)
            found.append(Detections(fitted.restore(boxes.boxes), boxes.scores, boxes.labels))
            report(number)
    return {**_precision(detector, samples, found), "on": detector.on, "seconds": time.monotonic() - began}


def _on_rtl(detector: Detector, folder: Path, limit: int | None, jobs: int) -> list[Result]:
    """RTL and golden side by side in worker processes; on Ctrl-C what is done so far is scored and kept."""
    from codesign.build.frames import FramePool
    from codesign.data.voc import read_split

    detector.context  # noqa: B018 - builds what is missing before the pictures are counted
    samples = read_split(folder, "test", detector.labels)[:limit]
    pool = FramePool(detector.context, [sample.image for sample in samples], jobs)
    before, began = pool.done(), time.monotonic()
    say = console().print
    if before:
        say(f"{before} of {len(samples)} pictures are there from before, in {pool.folder}/")
    try:
        with countdown(console(), "evaluating on rtl", len(samples), before) as report:
            pool.run(report)
    except KeyboardInterrupt:
        _scored(detector, samples, pool.results(), time.monotonic() - began, jobs)
        say(f"{pool.done()} of {len(samples)} pictures are kept in {pool.folder}/")
        raise
    return _scored(detector, samples, pool.results(), time.monotonic() - began, jobs)


def _scored(
    detector: Detector, samples: list[Sample], frames: list[FrameResult | None], seconds: float, jobs: int
) -> list[Result]:
    """Print and return what the pictures that are done give."""
    say = console().print
    pairs = [(sample, frame) for sample, frame in zip(samples, frames, strict=True) if frame is not None]
    if not pairs:
        return []
    mine, done = [sample for sample, _ in pairs], [frame for _, frame in pairs]
    values, wrong = sum(f.values for f in done), sum(f.mismatches for f in done)
    rtl = {**_precision(detector, mine, [f.rtl for f in done]), "on": "rtl", "seconds": seconds, "jobs": jobs}
    golden = {**_precision(detector, mine, [f.golden for f in done]), "on": "golden", "seconds": None}
    rtl |= {"golden_ap50": golden["ap50"], "values": values, "mismatches": wrong, "cycles": [f.cycles for f in done]}
    say(f"AP50 {rtl['ap50']:.4f} on rtl:    {len(done)} images in {seconds:.1f} s, {jobs} at a time")
    say(f"AP50 {golden['ap50']:.4f} on golden: the same images; {wrong:,} of {values:,} values of every tensor differ")
    first = next(((s, f) for s, f in pairs if f.mismatches), None)
    if first is not None:
        say(f"{first[0].image}: {first[1].first}", style="bold red")
    return [rtl, golden]


def _precision(detector: Detector, samples: list[Sample], found: list[Detections]) -> Result:
    """AP50 of these pictures' boxes."""
    from codesign.evaluate.ap import Truth, ap50

    labels = detector.labels
    truths = [Truth(sample.boxes, sample.labels, sample.difficult) for sample in samples]
    result = ap50(found, truths, len(labels))
    per_class = dict(zip(labels, result.per_class, strict=True))
    return {"images": len(samples), "ap50": result.mean, "per_class": per_class}
