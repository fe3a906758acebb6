# SPDX-License-Identifier: Apache-2.0
"""`codesign eval`: average precision on held-out pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Config, Json, Model
from codesign.cli.eval_runs import Evaluation, on_rtl, one_by_one
from codesign.cli.output import BuildPrinter, console, write_json


def eval_command(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Pascal VOC or COCO folder; without it, generated digit scenes.")
    ] = None,
    on: Annotated[str, typer.Option("--on", help="float, brevitas, golden or rtl; several with commas. float: of a float.safetensors, or as recorded.")] = "golden",
    metric: Annotated[str, typer.Option("--metric", help="voc, voc07 or coco; several with commas; default: all.")] = "all",
    images: Annotated[int | None, typer.Option("--images", min=1, help="At most so many pictures.")] = None,
    plots: Annotated[Path | None, typer.Option("--plots", metavar="DIR", help="Precision-recall curves, best and worst pictures.")] = None,
    threshold: Annotated[float, typer.Option("--threshold", min=0.0, max=1.0, help="Least score in the pictures of --plots.")] = 0.3,
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose RTL runs.")] = "pynq-z2",
    config: Config = "b",
    model: Model = None,
    build_dir: Annotated[Path | None, typer.Option("--build", metavar="DIR", help="Build folder of the RTL.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Simulations at a time; default: one per core.")] = None,
    json: Json = None,
) -> int:
    """Average precision per class over the folder's test split: VOC (area, and VOC07's 11 points) and COCO.

    With rtl, golden runs beside it and every tensor of every picture is compared; interrupt it and it resumes.
    """
    from codesign.build import BuildOptions
    from codesign.build.detector import Detector
    from codesign.build.float_detector import FloatDetector
    from codesign.cli.train import DIGITS, digit_scenes
    from codesign.nn.float_file import is_float

    metrics = _metrics(metric)
    folder = data if data is not None else digit_scenes(DIGITS)
    options = BuildOptions(board, config, model, out=build_dir)
    say, results = console().print, []
    for engine in _engines(on):
        if engine == "float" and is_float(model):
            results.append(one_by_one(Evaluation(FloatDetector(model), folder, images, metrics, plots, threshold)))
            continue
        if engine == "float":
            results.append(_recorded(options.trained_model))
            say(f"AP50 {results[-1]['ap50']:.4f} on float: recorded by training on its own test split, before quantisation")
            continue
        detector = Detector(options, engine, BuildPrinter(details=False))
        evaluation = Evaluation(detector, folder, images, metrics, plots, threshold)
        if engine == "rtl":
            results += on_rtl(evaluation, jobs or len(os.sched_getaffinity(0)))
        else:
            results.append(one_by_one(evaluation))
    write_json(json, {"data": str(folder), "results": results})
    return 1 if any(result.get("mismatches") for result in results) else 0


def _metrics(asked: str) -> tuple[str, ...]:
    from codesign.errors import UserError
    from codesign.evaluate.scores import METRICS

    named = [name.strip() for name in asked.split(",")]
    if named == ["all"]:
        return METRICS
    wrong = next((name for name in named if name not in METRICS), None)
    if wrong is not None:
        raise UserError(f"--metric {wrong!r}: must be {', '.join(METRICS)} or all")
    return tuple(name for name in METRICS if name in named)


def _engines(on: str) -> list[str]:
    """In the order given; golden runs beside the RTL anyway."""
    from codesign.build.detector import ENGINES
    from codesign.errors import UserError

    named, known = [engine.strip() for engine in on.split(",")], ("float", *ENGINES)
    wrong = next((engine for engine in named if engine not in known), None)
    if wrong is not None:
        raise UserError(f"--on {wrong!r}: must be one of {', '.join(known)}, or several with commas")
    return [engine for engine in named if engine != "golden" or "rtl" not in named]


def _recorded(model: Path | None) -> dict[str, object]:
    """A model file holds integer weights only: the float network's figure is the one that training measured."""
    from codesign.errors import UserError
    from codesign.nn.model_file import read_info

    recorded = None if model is None else read_info(model).metrics.get("ap50_float")
    if recorded is None:
        raise UserError("--on float: no model file that records its float AP50; `codesign train` writes one")
    return {"on": "float", "ap50": recorded, "recorded": True}
