# SPDX-License-Identifier: Apache-2.0
"""`codesign sensitivity`: AP50 lost when one layer alone goes to 4 bits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesign.cli.build import Config, Json
from codesign.cli.output import console, expect_writable, write_json
from codesign.cli.progress import countdown
from codesign.cli.ptq import Calibration, Data, Float, Form, Threads, Weights, data_folder

if TYPE_CHECKING:
    from codesign.quantise.sensitivity import Advice, Results, Sensitivity


def sensitivity_command(
    model: Float,
    data: Data = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where results, chart and table go.")] = Path("data/sensitivity"),
    others: Annotated[str, typer.Option("--others", help="The other layers: 8 (bits, activations too) or float.")] = "8",
    images: Annotated[int | None, typer.Option("--images", min=1, help="At most so many pictures, evenly spread.")] = None,
    split: Annotated[str, typer.Option("--split", help="Whose pictures: train, or test.")] = "train",
    budget: Annotated[float, typer.Option("--budget", min=0.0, help="AP50 points that 4-bit layers may lose together.")] = 1.0,
    weights: Weights = "max",
    calibration: Calibration = 64,
    config: Config = "b",
    form: Form = "square",
    threads: Threads = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure every layer again.")] = False,
    json: Json = None,
) -> None:
    """One layer after the other at 4 bits: AP50 lost, sorted; and which to keep at 8 bits for a loss budget.

    Interrupt it and the same command goes on. The train split is the default, so that the test split stays unseen.
    """
    import torch

    from codesign.nn.config import named_config
    from codesign.quantise import sensitivity as s
    from codesign.quantise.score import Bench
    from codesign.quantise.source import calibration_batches, load_source, pictures

    expect_writable(out / s.JOURNAL)
    torch.set_num_threads(threads)
    folder = data_folder(data)
    source, info = load_source(model, folder, named_config(config, operator=form))
    shown = pictures(folder, split, info, images)
    names = [sample.name for sample in shown.samples]
    belongs = s.identity(s.model_sha(source), names, others, weights, calibration)
    batches = calibration_batches(folder, info, calibration) if others == "8" else []
    study = s.Sensitivity(source, batches, Bench(shown), others, weights)
    results = s.Results(out / s.JOURNAL, belongs, fresh)
    done = sum(layer in results.rows for layer in study.layers)
    with countdown(console(), f"layers on {len(names)} pictures", len(study.layers), done) as report:
        s.run(study, results, report)
    _finish(study, results, budget, out, json)


def _finish(study: Sensitivity, results: Results, budget: float, out: Path, json: Path | None) -> None:
    from codesign.nn.layer_bits import shown
    from codesign.quantise.sensitivity import BASE, advise, kept_bits, ranked
    from codesign.report.sensitivity import draw_sensitivity

    say, rows = console().print, ranked(results)
    base = results.rows[BASE].ap50
    say(_table(results))
    say(f"AP50 {base:.4f} with no layer at 4 bits; layers to keep at 8 bits for a loss of at most {budget:g} points together:")
    advice = advise(study, results, budget, lambda line: say(f"  {line}"))
    option = f"--weight-bits 4 --layer-bits {shown(kept_bits(advice))}"
    say(_advice(study, advice, option))
    draw_sensitivity(out / "sensitivity.png", [(row.layer, lost) for row, lost in rows], advice.keep,
                     f"AP50 points lost by one layer at 4 bits, others {_others(study)} (AP50 {base:.4f})")  # fmt: skip
    document = {
        "ap50": base, "others": study.others, "budget": budget,
        "layers": [{**asdict(row), "lost": lost} for row, lost in rows],
        "advice": {**asdict(advice), "option": option},
    }  # fmt: skip
    write_json(out / "sensitivity.json", document)
    write_json(json, document)
    say(f"wrote {out}/sensitivity.json, .png, .svg")


def _others(study: Sensitivity) -> str:
    return "in float" if study.others == "float" else "at 8 bits"


def _advice(study: Sensitivity, advice: Advice, option: str) -> str:
    kept, total = sum(study.sizes[name] for name in advice.keep), sum(study.sizes.values())
    return f"{len(advice.keep)} layers with {100 * kept / total:.1f} % of the weights: {option}"


def _table(results: Results) -> object:
    from rich.table import Table

    from codesign.quantise.sensitivity import ranked

    table = Table(box=None, pad_edge=False)
    for title, side in (("layer at 4 bits", "left"), ("AP50", "right"), ("points lost", "right"), ("heads' error", "right"), ("weights", "right")):
        table.add_column(title, justify=side)  # type: ignore[arg-type]
    for row, lost in ranked(results):
        table.add_row(row.layer, f"{row.ap50:.4f}", f"{lost:+.2f}", f"{row.error:.4f}", f"{row.weights:,}")
    return table
