# SPDX-License-Identifier: Apache-2.0
"""`codesign train`: a data folder to a quantised model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.build import Json, LayerBits
from codesign.cli.output import console, write_json

if TYPE_CHECKING:
    from codesign.train.recipe import Recipe

DIGITS = Path("data") / "digits"


def train_command(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Pascal VOC or COCO folder; without it, generated digit scenes.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where model, checkpoint and log go.")] = Path("data/run"),
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="NAME|FILE[:key=value,...]", help="How to train: auto, digits, digits-small, bccd, bccd-w8a8, voc or a TOML file."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", metavar="FILE", help="Weights to start from: float.safetensors of a run, or ShuffleNetV2 .pth.")
    ] = None,
    config: Annotated[str, typer.Option("--config", metavar="a..e|t", help="The published configuration, or the tiny one.")] = "b",
    weight_bits: Annotated[int, typer.Option("--weight-bits", help="4 or 8.")] = 4,
    layer_bits: LayerBits = None,
    form: Annotated[str, typer.Option("--form", help="Deformable form: square or pairs.")] = "square",
    height: Annotated[int | None, typer.Option("--height", help="Input height, a multiple of 32; default: the configuration's.")] = None,
    width: Annotated[int | None, typer.Option("--width", help="Input width, a multiple of 32.")] = None,
    fit: Annotated[str | None, typer.Option("--fit", help="stretch pictures to the input, or letterbox them; the model keeps it.")] = None,
    float_epochs: Annotated[int | None, typer.Option("--float-epochs", help="Epochs before quantisation.")] = None,
    qat_epochs: Annotated[int | None, typer.Option("--qat-epochs", help="Epochs with quantisation; 0: a float model only.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Images a step.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed, another run.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Processor cores to use.")] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="cpu|cuda|auto", help="Where to train.")] = None,
    eval_every: Annotated[int, typer.Option("--eval-every", metavar="N", min=0, help="AP50 of the test split every N epochs; 0: at the ends of stages.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew instead of resuming.")] = False,
    json: Json = None,
) -> None:
    """Train in float, then with quantisers on; prints the budget first and resumes where it was interrupted."""
    from codesign.errors import UserError
    from codesign.nn.config import named_config
    from codesign.nn.layer_bits import parse
    from codesign.train.loop import train

    network = named_config(config, weight_bits=weight_bits, operator=form, layer_bits=parse(layer_bits))
    network = replace(network, input_size=(height or network.input_size[0], width or network.input_size[1]))
    folder = data if data is not None else digit_scenes(DIGITS, min(network.input_size))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such data folder")
    given = {"float_epochs": float_epochs, "qat_epochs": qat_epochs, "batch": batch, "seed": seed, "threads": threads,
             "device": device, "fit": fit}  # fmt: skip
    given = {key: value for key, value in given.items() if value is not None}
    how = _recipe(recipe or (_digits(network.input_size) if data is None else "auto"), folder, weight_bits, given)
    say = console().print
    result = train(folder, how, out, config=network, start=start, resume=not fresh, report=say, eval_every=eval_every)
    if result is None:
        return
    written = {"model": str(result.model) if result.model else None, "float_model": str(result.float_model),
               "ap50_float": result.ap50_float, "ap50_quantised": result.ap50_quantised}  # fmt: skip
    write_json(json, written)
    if result.model is not None:
        say(f"next: codesign build --board pynq-z2 --model {result.model}")


def _recipe(spec: str, folder: Path, weight_bits: int, given: dict[str, Any]) -> Recipe:
    """By name, file or, for `auto`, by the number of pictures and the bits, with the fields `given`; says what `auto` will run."""
    from codesign.data.folder import read_classes, read_split
    from codesign.train.recipe_file import load_recipe

    if spec.partition(":")[0] != "auto":
        return replace(load_recipe(spec), **given)
    images = len(read_split(folder, "train", read_classes(folder)))
    chosen = replace(load_recipe(spec, images, weight_bits), **given)
    mirrored = "mirrored pictures too (--recipe auto:augment.hflip=false where left and right matter)"
    console().print(
        f"recipe auto: {images} pictures, {chosen.float_epochs} float and {chosen.qat_epochs} quantised epochs"
        + (f", {mirrored}" if chosen.augment.hflip else "")
    )
    return chosen


def _digits(size: tuple[int, int]) -> str:
    """The recipe for digit scenes of a network's input size."""
    from codesign.data.digits import SMALL_SCENE

    return "digits-small" if min(size) < SMALL_SCENE else "digits"


def digit_scenes(folder: Path, size: int = 256) -> Path:
    """The generated digit scenes, written once; more and smaller ones for a network of a small input."""
    from codesign.data.digits import SMALL_SCENE, write_scenes

    small = size < SMALL_SCENE
    folder = folder.with_name(f"{folder.name}-{size}") if small else folder
    if not (folder / "ImageSets" / "Main" / "test.txt").is_file():  # written last
        console().print(f"generating digit scenes in {folder}")
        write_scenes(folder, **({"train": 2400, "test": 400, "size": size} if small else {}))
    return folder
