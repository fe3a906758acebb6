# SPDX-License-Identifier: Apache-2.0
"""AP50 of networks: integers on held-out pictures, and training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesign.build.artefacts import file_hash, text_hash
from codesign.errors import UserError
from codesign.graph.ir import Graph
from codesign.sweep.digest import digest


def golden_ap50(graph: Graph, data: Path) -> dict[str, Any]:
    """AP50 of the golden model over the test split, as `codesign eval --on golden` measures it."""
    from codesign.build.detector import decode_heads, graph_fit
    from codesign.data.fit import fit_picture
    from codesign.data.folder import read_split
    from codesign.data.sample import load_image
    from codesign.decode import Detections
    from codesign.evaluate.ap import Truth, ap50
    from codesign.golden import image_codes, run

    labels = [str(label) for label in graph.meta.get("labels", [])]
    size, fit = (graph.input.shape[1], graph.input.shape[2]), graph_fit(graph)
    found, truths = [], []
    for sample in read_split(data, "test", labels):
        fitted = fit_picture(load_image(sample.image), *size, fit)
        values = run(graph, image_codes(fitted.pixels))
        boxes = decode_heads(graph, {role: values[name] for role, name in graph.outputs.items()})
        found.append(Detections(fitted.restore(boxes.boxes), boxes.scores, boxes.labels))
        truths.append(Truth(sample.boxes, sample.labels, sample.difficult, sample.crowd, sample.areas))
    if not found:
        raise UserError(f"{data}: no held-out pictures; AP50 cannot be measured")
    return {"ap50": ap50(found, truths, len(labels)).mean, "images": len(found)}


def trained(subject: dict[str, Any], data: Path, out: Path, seed: int) -> dict[str, Any]:
    """Train one network, or go on where a killed sweep left it; the answer names the model file and its hash."""
    from dataclasses import replace

    from codesign.data.folder import read_classes, read_split
    from codesign.nn.config import NetConfig
    from codesign.train.loop import train
    from codesign.train.recipe_file import load_recipe

    images = len(read_split(data, "train", read_classes(data)))
    config = NetConfig.from_json(subject["config"])
    recipe = load_recipe(subject["recipe"], images, config.weight_bits)
    recipe = replace(recipe, seed=seed, threads=1, device=subject.get("device", "auto"))
    result = train(data, recipe, out, config=config, report=_log(out))
    if result is None or result.model is None:
        raise UserError(f"training {out.name}: the recipe has no quantised stage; give it qat_epochs")
    return {"model": out.name, "sha256": digest(result.model), "ap50_float": result.ap50_float, "ap50_brevitas": result.ap50_quantised}


def _log(out: Path) -> Any:
    def report(text: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        with open(out / "sweep.log", "a") as file:
            file.write(f"{text}\n")

    return report


def data_hash(folder: Path) -> str:
    """What the pictures and boxes of a data folder are: names and sizes of its files, and the content of its lists."""
    if not folder.is_dir():
        raise UserError(f"training.data {folder}: no such data folder")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lists = [file_hash(path) for path in files if path.suffix in (".txt", ".json")]
    return text_hash([(str(path.relative_to(folder)), path.stat().st_size) for path in files], lists)
