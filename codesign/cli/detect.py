# SPDX-License-Identifier: Apache-2.0
"""`codesign detect`: boxes in pictures, from the golden model or from the RTL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Config, Json, Model
from codesign.cli.output import BuildPrinter, console, counted, write_json

if TYPE_CHECKING:
    from codesign.build.detector import Detector
    from codesign.decode import Detections

VIRTUAL = "sim:"


def detect_command(
    images: Annotated[Path, typer.Argument(metavar="IMAGE|FOLDER", help="A picture, or a folder of pictures.")],
    on: Annotated[str, typer.Option("--on", help="golden or rtl.")] = "golden",
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose RTL runs; sim:NAME: its driver.")] = "pynq-z2",
    config: Config = "b",
    model: Model = None,
    threshold: Annotated[float, typer.Option("--threshold", min=0.0, max=1.0, help="Least score that is shown.")] = 0.3,
    limit: Annotated[int | None, typer.Option("--images", min=1, help="At most so many pictures of a folder.")] = None,
    fit: Annotated[str | None, typer.Option("--fit", help="stretch or letterbox pictures; default: as the model was trained.")] = None,
    build_dir: Annotated[Path | None, typer.Option("--build", metavar="DIR", help="Build folder of the RTL.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where annotated pictures go.")] = Path("build/detections"),
    json: Json = None,
) -> None:
    """Print boxes and write annotated PNGs; `--on rtl` simulates the accelerator, `--board sim:NAME` its driver too."""
    from codesign.boards import load_board
    from codesign.build import BuildOptions
    from codesign.build.detector import Detector
    from codesign.build.pictures import pictures_of
    from codesign.data.fit import checked_fit
    from codesign.errors import UserError

    if board.startswith(VIRTUAL):
        board, on = board[len(VIRTUAL) :], "board"
    elif on not in ("golden", "rtl"):
        raise UserError(f"--on {on!r}: must be golden or rtl")
    if fit is not None:
        checked_fit(fit, "--fit")
    load_board(board)
    paths = pictures_of(images)[:limit]
    out.mkdir(parents=True, exist_ok=True)
    printer = BuildPrinter(details=False)
    detector = Detector(BuildOptions(board, config, model, out=build_dir), on, printer)
    _refuse_other_config(model, config)
    names = _targets(paths, on)
    say, rows, failed = console().print, [], 0
    with counted("detecting", len(paths)) as advance:
        for path, name in zip(paths, names, strict=True):
            try:
                rows.append(_one(detector, path, out / name, fit or detector.fit, threshold, say))
            except UserError as error:
                if len(paths) == 1:
                    raise
                failed += 1
                say(f"skipped: {' '.join(str(error).split())}", style="bold red")
            advance()
    say(f"annotated pictures are in {out}/")
    write_json(json, {"on": on, "images": rows, "skipped": failed})
    if failed:
        say(f"{failed} of {len(paths)} pictures could not be read")
        raise typer.Exit(1)


def _one(
    detector: Detector, path: Path, target: Path, fit: str, threshold: float, say: Callable[[str], None]
) -> dict[str, object]:
    """One picture: its lines, its annotated PNG, its row of the JSON."""
    from codesign.build.pictures import annotate
    from codesign.data.fit import fit_picture
    from codesign.data.sample import load_image

    pixels = load_image(path)
    fitted = fit_picture(pixels, *detector.size, fit)
    found = detector.detect(fitted.pixels).above(threshold)
    boxes = fitted.restore(found.boxes)
    lines, rows = _lines(found, boxes, detector.labels), _rows(found, boxes, detector.labels)
    say("\n".join([f"{path.name}: {len(lines)} boxes", *(f"  {line}" for line in lines)]))
    labels = [f"{row['label']} {row['score']:.2f}" for row in rows]
    annotate(pixels, boxes, labels, found.labels.tolist()).save(target)
    return {"image": str(path), "annotated": str(target), "boxes": rows}


def _targets(paths: list[Path], on: str) -> list[str]:
    """Names of the annotated pictures; with the suffix where pictures differ in nothing else."""
    stems = Counter(path.stem for path in paths)
    return [f"{path.stem if stems[path.stem] == 1 else path.name}-{on}.png" for path in paths]


def _refuse_other_config(model: Path | None, config: str) -> None:
    """A configuration that was asked for beside a trained model of another shape."""
    from codesign.build.steps.lower import is_graph
    from codesign.errors import UserError
    from codesign.nn.config import named_config
    from codesign.nn.model_file import read_info

    if model is None or config == "b" or model.suffix.lower() == ".onnx" or is_graph(model):
        return
    own, asked = read_info(model).config, named_config(config)
    if (own.width, own.input_size, own.stem) != (asked.width, asked.input_size, asked.stem):
        raise UserError(f"--config {config}: {model} is of another configuration; leave --config out")


def _name(labels: list[str], label: int) -> str:
    return labels[label] if label < len(labels) else str(label)


def _lines(found: Detections, boxes: object, labels: list[str]) -> list[str]:
    """`label score xmin ymin xmax ymax`, digit for digit the same wherever the codes are."""
    return [
        f"{_name(labels, int(label))} {score:.6f} {box[0]:.4f} {box[1]:.4f} {box[2]:.4f} {box[3]:.4f}"
        for box, score, label in zip(boxes, found.scores, found.labels, strict=True)  # type: ignore[call-overload]
    ]


def _rows(found: Detections, boxes: object, labels: list[str]) -> list[dict[str, object]]:
    return [
        {"label": _name(labels, int(label)), "score": float(score), "box": [float(v) for v in box]}
        for box, score, label in zip(boxes, found.scores, found.labels, strict=True)  # type: ignore[call-overload]
    ]
