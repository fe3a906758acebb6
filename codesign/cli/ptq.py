# SPDX-License-Identifier: Apache-2.0
"""`codesign ptq`: a float model to a quantised one without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codesign.cli.build import Config, Json, LayerBits
from codesign.cli.output import console, expect_writable, write_json

if TYPE_CHECKING:
    from codesign.nn.codenet import CoDeNet
    from codesign.nn.container import ModelInfo
    from codesign.train.batches import SceneCache

Float = Annotated[Path, typer.Option("--model", metavar="FILE", help="float.safetensors of a training, or its checkpoint.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Pascal VOC or COCO folder; without it, generated digit scenes.")]
Form = Annotated[str, typer.Option("--form", help="Deformable form of a checkpoint's network: square or pairs.")]
Calibration = Annotated[int, typer.Option("--calibration", min=1, help="Training images that ranges and corrections come from.")]
Views = Annotated[bool, typer.Option("--augmented/--plain", help="Calibrate on pictures as training augmented them, or as they are.")]
Weights = Annotated[str, typer.Option("--weights", help="Weight ranges: max, percentile or mse.")]
Activations = Annotated[str, typer.Option("--activations", help="Activation ranges: percentile or mse.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="Processor cores to use.")]


def ptq_command(
    model: Float,
    data: Data = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")] = Path("model.safetensors"),
    weight_bits: Annotated[int, typer.Option("--weight-bits", help="4 or 8.")] = 8,
    layer_bits: LayerBits = None,
    activations: Activations = "mse",
    weights: Weights = "max",
    percentile: Annotated[float, typer.Option("--percentile", help="Share kept by percentile ranges, in percent.")] = 99.9,
    bn: Annotated[bool, typer.Option("--bn/--no-bn", help="Re-estimate BN statistics in the quantised network.")] = False,
    bias: Annotated[bool, typer.Option("--bias/--no-bias", help="Correct biases by the mean error of each layer.")] = True,
    equalise: Annotated[bool, typer.Option("--equalise/--no-equalise", help="Scale channels so that each fills its tensor's range.")] = True,
    calibration: Calibration = 128,
    augmented: Views = True,
    config: Config = "b",
    form: Form = "square",
    threads: Threads = 1,
    json: Json = None,
) -> None:
    """Quantise a float model with calibration images alone; AP50 of both on the folder's test split."""
    import torch

    from codesign.nn.config import named_config
    from codesign.nn.layer_bits import parse, shown
    from codesign.nn.model_file import save_model
    from codesign.quantise.ptq import PtqOptions, quantise, with_bits
    from codesign.quantise.source import augmented_batches, calibration_batches, load_source

    expect_writable(out)
    torch.set_num_threads(threads)
    say, folder = console().print, data_folder(data)
    options = PtqOptions(activations, weights, percentile / 100, bn, bias, equalise)
    source, info = load_source(model, folder, named_config(config, operator=form))
    network = with_bits(source, weight_bits, parse(layer_bits))
    views = augmented_batches(folder, info, calibration) if augmented or bn else None
    batches = views if augmented and views else calibration_batches(folder, info, calibration)
    say(f"{model}: {len(network.config.layers)} layers to {weight_bits} bits"
        f"{', but ' + shown(network.config.layer_bits) if network.config.layer_bits else ''}")  # fmt: skip
    network = quantise(network, batches, options, lambda line: say(f"  {line}"), views)
    metrics = _metrics(source, network, folder, info)
    recipe = {"ptq": options.to_json(), "calibration_images": sum(len(b) for b in batches), "augmented": augmented, "float": info.sha256, **info.recipe}
    save_model(out, network, labels=list(info.labels), metrics={**info.metrics, **metrics}, recipe=recipe)
    write_json(json, {"model": str(out), **metrics})
    say(f"wrote {out}")
    say(f"next: codesign build --board pynq-z2 --model {out}")


def data_folder(data: Path | None) -> Path:
    """The folder named, or the digit scenes, written once."""
    from codesign.cli.train import DIGITS, digit_scenes
    from codesign.errors import UserError

    folder = data if data is not None else digit_scenes(DIGITS)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such data folder")
    return folder


def _metrics(source: CoDeNet, network: CoDeNet, folder: Path, info: ModelInfo) -> dict[str, Any]:
    """AP50 of the float and of the quantised network, None without a test split."""
    from codesign.data.folder import has_split
    from codesign.quantise.source import pictures

    say = console().print
    if not has_split(folder, "test"):
        say(f"{folder}: no held-out split: AP50 is not measured")
        return {"ap50_float": None, "ap50_quantised": None}
    test = pictures(folder, "test", info)
    was, now = _ap50(source, test), _ap50(network, test)
    say(f"AP50 on {len(test)} held-out images: float {was:.4f}, quantised {now:.4f} ({100 * (now - was):+.2f} points)")
    return {"ap50_float": was, "ap50_quantised": now}


def _ap50(network: CoDeNet, test: SceneCache) -> float:
    from codesign.train.evaluation import evaluate

    return evaluate(network, test).mean
