# SPDX-License-Identifier: Apache-2.0
"""`codesign detect`: boxes in pictures, from the golden model or from the RTL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Config, Json, Model
from codesign.cli.output import BuildPrinter, console, counted, write_json

if TYPE_CHECKING:
    from codesign.decode import Detections

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def detect_command(
    images: Annotated[Path, typer.Argument(metavar="IMAGE|FOLDER", help="A picture, or a folder of pictures.")],
    on: Annotated[str, typer.Option("--on", help="golden or rtl.")] = "golden",
    board: Annotated[str, typer.Option("--board", metavar="NAME|FILE", help="The board whose RTL runs.")] = "pynq-z2",
    config: Config = "b",
    model: Model = None,
    threshold: Annotated[float, typer.Option("--threshold", help="Least score that is shown.")] = 0.3,
    limit: Annotated[int | None, typer.Option("--images", help="At most so many pictures of a folder.")] = None,
    fit: Annotated[str, typer.Option("--fit", help="letterbox or stretch pictures to the network's input.")] = "letterbox",
    build_dir: Annotated[Path | None, typer.Option("--build", metavar="DIR", help="Build folder of the RTL.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where annotated pictures go.")] = Path("build/detections"),
    json: Json = None,
) -> None:
    """Print boxes and write annotated PNGs; `--on rtl` simulates the accelerator."""
    from codesign.build import BuildOptions, pictures
    from codesign.build.detector import Detector
    from codesign.data.voc import load_image
    from codesign.errors import UserError

    if on not in ("golden", "rtl"):
        raise UserError(f"--on {on!r}: must be golden or rtl")
    if fit not in ("letterbox", "stretch"):
        raise UserError(f"--fit {fit!r}: must be letterbox or stretch")
    paths = _pictures(images)[:limit]
    out.mkdir(parents=True, exist_ok=True)
    printer = BuildPrinter(details=False)
    detector = Detector(BuildOptions(board, config, model, out=build_dir), on, printer)
    say, rows = console().print, []
    with counted("detecting", len(paths)) as advance:
        for path in paths:
            pixels = load_image(path)
            fitted = getattr(pictures, fit)(pixels, *detector.size)
            found = detector.detect(fitted.pixels).above(threshold)
            boxes = fitted.restore(found.boxes)
            lines = _lines(found, boxes, detector.labels)
            say("\n".join([f"{path.name}: {len(lines)} boxes", *(f"  {line}" for line in lines)]))
            target = out / f"{path.stem}-{on}.png"
            pictures.annotate(pixels, boxes, [line.split()[0] for line in lines]).save(target)
            rows.append({"image": str(path), "annotated": str(target), "boxes": _rows(found, boxes, detector.labels)})
            advance()
    say(f"annotated pictures are in {out}/")
    write_json(json, {"on": on, "images": rows})


def _pictures(path: Path) -> list[Path]:
    from codesign.errors import UserError

    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such picture or folder")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{path}: holds no {', '.join(SUFFIXES)}")
    return found


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
