# SPDX-License-Identifier: Apache-2.0
"""`codesign agree`: golden beside the Brevitas network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.build import Json, Model
from codesign.cli.output import console, counted, write_json


def agree_command(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Pascal VOC or COCO folder; without it, generated digit scenes.")
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="Pictures of the test split.")] = 5,
    model: Model = None,
    json: Json = None,
) -> None:
    """Codes of every layer, fed the Brevitas network's own input codes, and running free from the picture."""
    from codesign.build.options import SHIPPED_MODEL
    from codesign.cli.train import DIGITS, digit_scenes
    from codesign.data.fit import fit_picture
    from codesign.data.folder import read_split
    from codesign.data.sample import load_image
    from codesign.lower.agreement import Agreement, layer_agreement
    from codesign.lower.from_brevitas import lower
    from codesign.nn.model_file import load_model

    network, info = load_model(model or SHIPPED_MODEL)
    graph = lower(network, labels=info.labels, fit=info.fit)
    folder = data if data is not None else digit_scenes(DIGITS)
    samples = read_split(folder, "test", info.labels)[:images]
    _, height, width = graph.input.shape
    with counted("comparing", len(samples)) as advance:
        frames = []
        for sample in samples:
            frames.append(fit_picture(load_image(sample.image), height, width, info.fit).pixels)
            advance()
        rows = layer_agreement(network, graph, frames)
    say = console().print
    say(f"{'layer':<28} {'values':>11}  fed Brevitas' codes      free running")
    for row in rows:
        say(f"{row.layer:<28} {row.values:>11,}  {row.fed_share:8.4%} max {row.fed_greatest:<5}  "
            f"{row.free_share:8.3%} max {row.free_greatest}")  # fmt: skip
    sound = all(row.sound for row in rows)
    worst: Agreement = min(rows, key=lambda row: row.fed_share)
    say(f"{len(rows)} layers, {len(samples)} pictures; worst layer {worst.layer}: {worst.fed_share:.4%} equal; "
        + ("every layer has 99.9 % equal and the rest off by one" if sound else "NOT every layer has 99.9 % equal"))  # fmt: skip
    write_json(json, {"sound": sound, "images": len(samples), "layers": [_row(row) for row in rows]})
    if not sound:
        raise typer.Exit(1)


def _row(row) -> dict[str, object]:  # type: ignore[no-untyped-def]
    from dataclasses import asdict

    return {**asdict(row), "fed_share": row.fed_share, "free_share": row.free_share}
