# SPDX-License-Identifier: Apache-2.0
"""`codesign eval`: AP50 on held-out pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Config, Json, Model
from codesign.cli.output import BuildPrinter, console, counted, write_json


def eval_command(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Pascal VOC folder; without it, generated digit scenes.")
    ] = None,
    on: Annotated[str, typer.Option("--on", help="float, brevitas, golden or rtl; several with commas.")] = "golden",
    images: Annotated[int | None, typer.Option("--images", help="At most so many pictures.")] = None,
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose RTL runs.")] = "pynq-z2",
    config: Config = "b",
    model: Model = None,
    build_dir: Annotated[Path | None, typer.Option("--build", metavar="DIR", help="Build folder of the RTL.")] = None,
    json: Json = None,
) -> None:
    """Average precision at IoU 0.5 over the folder's test split (mean of the classes, Pascal VOC)."""
    from codesign.build import BuildOptions
    from codesign.build.detector import Detector
    from codesign.cli.train import DIGITS, digit_scenes

    folder = data if data is not None else digit_scenes(DIGITS)
    options = BuildOptions(board, config, model, out=build_dir)
    say, results = console().print, []
    for engine in on.split(","):
        if engine.strip() == "float":
            results.append(_recorded(options.trained_model))
            say(f"AP50 {results[-1]['ap50']:.4f} on float: recorded by training on its own test split, before quantisation")
            continue
        detector = Detector(options, engine.strip(), BuildPrinter(details=False))
        result = _score(detector, folder, images)
        results.append(result)
        say(f"AP50 {result['ap50']:.4f} on {result['on']}: {result['images']} images in {result['seconds']:.1f} s")
    write_json(json, {"data": str(folder), "results": results})


def _recorded(model: Path | None) -> dict[str, object]:
    """A model file holds integer weights only: the float network's figure is the one that training measured."""
    from codesign.errors import UserError
    from codesign.nn.model_file import read_info

    recorded = None if model is None else read_info(model).metrics.get("ap50_float")
    if recorded is None:
        raise UserError("--on float: no model file that records its float AP50; `codesign train` writes one")
    return {"on": "float", "ap50": recorded, "recorded": True}


def _score(detector, folder: Path, limit: int | None) -> dict[str, object]:  # type: ignore[no-untyped-def]
    from codesign.build.pictures import stretch
    from codesign.data.voc import load_image, read_split
    from codesign.decode import Detections
    from codesign.evaluate.ap import Truth, ap50

    labels = detector.labels
    samples = read_split(folder, "test", labels)[:limit]
    found, truths, began = [], [], time.monotonic()
    with counted(f"evaluating on {detector.on}", len(samples)) as advance:
        for sample in samples:
            fitted = stretch(load_image(sample.image), *detector.size)  # as training fits its pictures
            boxes = detector.detect(fitted.pixels)
            found.append(Detections(fitted.restore(boxes.boxes), boxes.scores, boxes.labels))
            truths.append(Truth(sample.boxes, sample.labels, sample.difficult))
            advance()
    result = ap50(found, truths, len(labels))
    return {
        "on": detector.on,
        "images": len(samples),
        "ap50": result.mean,
        "per_class": dict(zip(labels, result.per_class, strict=True)),
        "seconds": time.monotonic() - began,
    }
