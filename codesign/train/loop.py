# SPDX-License-Identifier: Apache-2.0
"""Training: a float stage, calibration, then a quantised stage on the same module tree.

`train` prints its budget first (images/s times images times epochs), writes a checkpoint after every epoch and goes
on from it when started again; a run that was killed ends with the same weights as one that was not. Everything that
is random is a function of the seed and the epoch.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from codesign.data.voc import Sample, has_split, read_classes, read_split
from codesign.errors import UserError
from codesign.nn.codenet import CoDeNet, calibrate, clone, set_mode
from codesign.nn.config import NetConfig, named_config
from codesign.nn.model_file import save_model
from codesign.train.batches import SceneCache
from codesign.train.checkpoint import (
    Progress,
    load_checkpoint,
    load_optimiser,
    read_progress,
    save_checkpoint,
)
from codesign.train.ema import Ema
from codesign.train.evaluation import evaluate
from codesign.train.pretrain import pretrain
from codesign.train.recipe import Recipe
from codesign.train.step import schedule, train_step

Report = Callable[[str], None]


@dataclass(frozen=True)
class TrainResult:
    """The deployed model file and its AP50 on the test split (None where the folder has none)."""

    model: Path
    ap50_float: float | None
    ap50_quantised: float | None


@dataclass
class _Run:
    """Mutable state of one run."""

    model: CoDeNet
    recipe: Recipe
    data: SceneCache
    test: SceneCache | None
    out: Path
    report: Report
    fingerprint: str
    metrics: dict[str, float | None]


def train(
    data: Path, recipe: Recipe, out: Path, *, config: NetConfig | None = None, resume: bool = True,
    report: Report = print, stop_after: int | None = None,
) -> TrainResult | None:  # fmt: skip
    """Train on a Pascal VOC folder; writes out/model.safetensors, out/checkpoint.safetensors and out/log.csv.

    `config` defaults to configuration b; its class count follows the folder. `stop_after` ends early after that many
    epochs in all (the run can be resumed) and returns None.
    """
    run = _prepare(Path(data), recipe, Path(out), config or named_config("b"), report)
    checkpoint = run.out / "checkpoint.safetensors"
    started = resume and checkpoint.exists()
    done = _resume_point(run, checkpoint) if started else 0
    _print_budget(run, done)
    if not started:
        pretrain(run.model, run.data, recipe, report)
    if done < recipe.float_epochs or done == 0:
        optimiser, ema = _stage(run, False, checkpoint if started else None)
        if not started:
            save_checkpoint(checkpoint, Progress(0, run.fingerprint), run.model, ema, optimiser)
        done = _epochs(run, done, recipe.float_epochs, optimiser, ema, checkpoint, stop_after)
        if stop_after is not None and done >= stop_after:
            return None
    else:
        ema = Ema(run.model, recipe.ema)
    if done == recipe.float_epochs:
        _enter_quantised(run, ema, checkpoint if recipe.float_epochs else None)
        optimiser, ema = _stage(run, True, None)
    else:
        set_mode(run.model, True)
        optimiser, ema = _stage(run, True, checkpoint)
    done = _epochs(run, done, recipe.epochs, optimiser, ema, checkpoint, stop_after)
    if done < recipe.epochs:
        return None
    ema.copy_to(run.model)
    return _finish(run)


def _prepare(data: Path, recipe: Recipe, out: Path, config: NetConfig, report: Report) -> _Run:
    classes = read_classes(data)
    config = replace(config, classes=len(classes))
    samples = read_split(data, "train", classes)
    held_out = _held_out(data, classes, report)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot create the output folder ({error.strerror})") from None
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    model = CoDeNet(config).to(memory_format=torch.channels_last)
    model.labels = classes  # type: ignore[assignment]
    cache = SceneCache(samples, len(classes), config.input_size)
    test = SceneCache(held_out, len(classes), config.input_size) if held_out else None
    fixed = {k: v for k, v in recipe.to_json().items() if k not in ("float_epochs", "qat_epochs", "threads")}
    identity = [config.to_json(), fixed, classes, [s.name for s in samples]]
    fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return _Run(model, recipe, cache, test, out, report, fingerprint, {})


def _held_out(data: Path, classes: list[str], report: Report) -> list[Sample]:
    """The test split; empty, and said so, where the folder has no list for one. A broken split is an error."""
    if has_split(data, "test"):
        return read_split(data, "test", classes)
    report(f"{data}: no ImageSets/Main/test.txt or val.txt, so no held-out split: AP50 is not measured")
    return []


def _resume_point(run: _Run, checkpoint: Path) -> int:
    progress = read_progress(checkpoint)
    if progress.fingerprint != run.fingerprint:
        raise UserError(f"{checkpoint}: belongs to another network, recipe or data; use another output folder or --fresh")
    run.metrics.update(progress.metrics)
    run.report(f"resuming after epoch {progress.epoch} of {run.recipe.epochs}")
    return progress.epoch


def _stage(run: _Run, quantised: bool, checkpoint: Path | None) -> tuple[torch.optim.Optimizer, Ema]:
    """Optimiser and average for one stage, restored from a checkpoint if one is given.

    The model is restored first: Brevitas replaces its range parameters when it loads a state, and the optimiser has
    to hold the new ones.
    """
    ema = Ema(run.model, run.recipe.ema)
    if checkpoint is not None:
        load_checkpoint(checkpoint, run.model, ema)
    named = list(run.model.named_parameters())
    offset = [p for n, p in named if ".offset." in n]
    decayed = [p for n, p in named if p.ndim == 4 and ".offset." not in n]
    plain = [p for n, p in named if p.ndim != 4 and ".offset." not in n]
    groups = [{"params": decayed, "weight_decay": run.recipe.weight_decay, "factor": 1.0},
              {"params": plain, "weight_decay": 0.0, "factor": 1.0},
              {"params": offset, "weight_decay": 0.0, "factor": run.recipe.offset_lr}]  # fmt: skip
    optimiser = torch.optim.AdamW(groups, lr=run.recipe.qat_lr if quantised else run.recipe.lr)
    if checkpoint is not None:
        load_optimiser(checkpoint, optimiser)
    return optimiser, ema


def _enter_quantised(run: _Run, ema: Ema, checkpoint: Path | None) -> None:
    """From the float average: measure it, calibrate the activation ranges, switch the quantisers on."""
    if checkpoint is not None:
        load_checkpoint(checkpoint, run.model, ema)
        ema.copy_to(run.model)
        _measure(run, "ap50_float")
    recipe = run.recipe
    batches = run.data.epoch(recipe.seed, 1_000_000, recipe.qat_batch, recipe.augment)
    images = [batch["image"] for batch, _ in zip(batches, range(recipe.calibration_batches), strict=False)]
    calibrate(run.model, images)
    set_mode(run.model, True)
    _measure(run, "ap50_post_training")


def _measure(run: _Run, name: str) -> None:
    value = math.nan if run.test is None else evaluate(run.model, run.test).mean
    run.metrics[name] = None if math.isnan(value) else value
    run.report(f"{name} = not measured" if math.isnan(value) else f"{name} = {value:.4f}")


def _epochs(
    run: _Run, done: int, until: int, optimiser: torch.optim.Optimizer, ema: Ema, checkpoint: Path,
    stop_after: int | None,
) -> int:  # fmt: skip
    """Epochs done..until-1 with a checkpoint after each; returns the number of epochs done."""
    quantised = until > run.recipe.float_epochs or run.recipe.float_epochs == 0
    first = run.recipe.float_epochs if quantised else 0
    began, start = time.monotonic(), done
    while done < until and (stop_after is None or done < stop_after):
        loss = _epoch(run, done, (done - first) / (until - first), until - first, optimiser, ema, quantised)
        done += 1
        save_checkpoint(checkpoint, Progress(done, run.fingerprint, run.metrics), run.model, ema, optimiser)
        seconds = time.monotonic() - began
        left = seconds / (done - start) * (until - done)
        _log(run, {"epoch": done, "stage": "quantised" if quantised else "float", "loss": f"{loss:.4f}",
                   "seconds": f"{seconds:.1f}"})  # fmt: skip
        stage = "quantised" if quantised else "float"
        run.report(f"epoch {done}/{run.recipe.epochs} {stage} loss {loss:.4f} stage ends in {left / 60:.1f} min")
    return done


def _epoch(
    run: _Run, epoch: int, progress: float, length: int, optimiser: torch.optim.Optimizer, ema: Ema, quantised: bool
) -> float:
    """One epoch; returns the mean loss."""
    recipe = run.recipe
    batch_size = recipe.qat_batch if quantised else recipe.batch
    steps = run.data.steps(batch_size)
    run.model.train()
    if quantised and progress >= 1 - recipe.freeze_bn:
        for module in run.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    half = recipe.bf16 and not quantised
    total, base = 0.0, recipe.qat_lr if quantised else recipe.lr
    for step, batch in enumerate(run.data.epoch(recipe.seed, epoch, batch_size, recipe.augment)):
        at = progress * length * steps + step
        rate = base * schedule(at, length * steps, recipe.warmup_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        total += train_step(run.model, batch, optimiser, recipe, half)
        ema.update(run.model)
    return total / steps


def _print_budget(run: _Run, done: int) -> None:
    """Time two steps of each stage on a copy and say what the whole run will take."""
    recipe, minutes, parts = run.recipe, 0.0, []
    for quantised, epochs in ((False, recipe.float_epochs - done), (True, min(recipe.qat_epochs, recipe.epochs - done))):
        if epochs <= 0:
            continue
        speed = _speed(run, quantised)
        minutes += epochs * len(run.data) / speed / 60
        stage = "quantised" if quantised else "float"
        parts.append(f"{stage} {epochs} epochs at {speed:.1f} images/s")
    run.report(f"budget: {len(run.data)} images, {', '.join(parts) or 'nothing left'}: about {minutes:.0f} minutes")


def _speed(run: _Run, quantised: bool) -> float:
    model = clone(run.model).train()
    set_mode(model, quantised)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6)
    batches = list(zip(range(3), _cycle(run, quantised), strict=False))
    for number, batch in batches:
        if number == 1:
            began = time.monotonic()
        train_step(model, batch, optimiser, run.recipe, run.recipe.bf16 and not quantised)
    return 2 * len(batches[0][1]["image"]) / (time.monotonic() - began)


def _cycle(run: _Run, quantised: bool) -> Iterator[dict[str, torch.Tensor]]:
    epoch, batch = 0, run.recipe.qat_batch if quantised else run.recipe.batch
    while True:
        yield from run.data.epoch(run.recipe.seed, epoch, batch, run.recipe.augment)
        epoch += 1


def _log(run: _Run, row: dict[str, object]) -> None:
    path = run.out / "log.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def _finish(run: _Run) -> TrainResult:
    _measure(run, "ap50_quantised")
    path = run.out / "model.safetensors"
    save_model(path, run.model, labels=run.model.labels, metrics=run.metrics, recipe=run.recipe.to_json())  # type: ignore[arg-type]
    run.report(f"wrote {path}")
    return TrainResult(path, run.metrics.get("ap50_float"), run.metrics["ap50_quantised"])
