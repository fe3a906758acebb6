# SPDX-License-Identifier: Apache-2.0
"""One run from its start to its row; a run that was killed goes on from its last finished epoch, bit by bit the same."""

from __future__ import annotations

import hashlib
import math
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from codesign import __version__
from codesign.data.augment import Augment
from codesign.nn.codenet import CoDeNet, conv_macs, parameter_counts
from codesign.nn.native.library import load as load_kernels
from codesign.study.measure import measure
from codesign.study.plan import CLASSES, Run, StudyPlan
from codesign.study.scenes import SCENE_SEED
from codesign.study.start import plain_model, save_start, start_model
from codesign.train.batches import SceneCache
from codesign.train.checkpoint import (
    Progress,
    load_checkpoint,
    load_optimiser,
    read_progress,
    save_checkpoint,
)
from codesign.train.ema import Ema
from codesign.train.loss import detection_loss
from codesign.train.pretrain import pretrain
from codesign.train.recipe import Recipe
from codesign.train.stage import learning_rate, make_optimiser, stages

WARMUP_STEPS = 50
IOU_WEIGHT = 1.0  # sizes count by the size of their object, as in the metric
Report = Callable[[str], None]


def recipe_of(plan: StudyPlan, seed: int) -> Recipe:
    """Float training in float32 on one thread, the same for every form; a rate that falls to zero needs no average."""
    return Recipe(
        pretrain_epochs=0, float_epochs=plan.epochs, batch=plan.batch, lr=plan.lr, offset_lr=plan.offset_lr,
        ema=0.0, warmup_steps=WARMUP_STEPS, iou_weight=IOU_WEIGHT, bf16=False, seed=seed, threads=1,
        augment=Augment(scale=(0.9, 1.15), aspect=0.1),
    )  # fmt: skip


def make_start(plan: StudyPlan, labelled: Callable[[], SceneCache], path: Path, report: Report) -> None:
    """Train the plain detector that runs start from, if its file is not there; goes on where it was killed.

    Its backbone first learns to tell the ten digits on crops of `labelled`, then the detector to find any digit.
    """
    if path.is_file():
        return
    torch.set_num_threads(1)
    recipe = replace(recipe_of(plan, SCENE_SEED), pretrain_epochs=plan.crops, pretrain_batch=32,
                     float_epochs=max(1, plan.warm_up), lr=plan.warm_lr)  # fmt: skip
    model, unfinished, data = plain_model(plan, SCENE_SEED), path.with_suffix(".part.safetensors"), labelled()
    if _progress(unfinished, "start") is None:
        pretrain(model, data, recipe, report)
    if plan.warm_up:
        _train(model, one_class(data), recipe, unfinished, "start", report)
    save_start(model, path, {"plan": plan.start})
    unfinished.unlink(missing_ok=True)


def one_class(data: SceneCache) -> SceneCache:
    """The same scenes with every object of class 0."""
    samples = [replace(s, labels=np.zeros_like(s.labels)) for s in data.samples]
    return SceneCache(samples, CLASSES, data.size)


def train_run(
    run: Run, data: SceneCache, test: SceneCache, start: Path, folder: Path, report: Report,
    stop_after: int | None = None,
) -> dict[str, Any] | None:  # fmt: skip
    """The row of a finished run from the file `start`. `folder` keeps its checkpoint; `stop_after` epochs it leaves off with None."""
    torch.set_num_threads(1)
    recipe, path = recipe_of(run.plan, run.seed), folder / f"{run.key}.safetensors"
    model = start_model(run, start)
    spent = _train(model, data, recipe, path, run.title, report, run.key, stop_after)
    return None if spent is None else _row(run, recipe, model, test, spent)


def _train(
    model: CoDeNet, data: SceneCache, recipe: Recipe, path: Path, title: str, report: Report, key: str | None = None,
    stop_after: int | None = None,
) -> dict[str, float] | None:  # fmt: skip
    """Every epoch of a recipe, from the last one in the checkpoint `path`; the seconds spent, None where it left off early."""
    done, spent, key = 0, {"seconds": 0.0, "cpu_seconds": 0.0}, key or title
    found = _progress(path, key)
    if found is not None:
        load_checkpoint(path, model, Ema(model, recipe.ema))
        done, spent = found.epoch, {k: float(v or 0) for k, v in found.metrics.items()}
        report(f"{title}: resumes after epoch {done} of {recipe.float_epochs}")
    optimiser = make_optimiser(model, recipe, stages(recipe)[0])
    if found is not None:
        load_optimiser(path, optimiser)
    while done < recipe.float_epochs:
        wall, cpu = time.monotonic(), time.process_time()
        loss = _epoch(model, data, optimiser, recipe, done)
        done += 1
        spent = {"seconds": spent["seconds"] + time.monotonic() - wall,
                 "cpu_seconds": spent["cpu_seconds"] + time.process_time() - cpu}  # fmt: skip
        save_checkpoint(path, Progress(done, key, dict(spent)), model, Ema(model, recipe.ema), optimiser)
        report(f"{title}: epoch {done}/{recipe.float_epochs} loss {loss:.3f}")
        if stop_after is not None and done >= stop_after:
            return None
    return spent


def forget(run: Run, folder: Path) -> None:
    """Remove the checkpoint of a run whose row is kept."""
    (folder / f"{run.key}.safetensors").unlink(missing_ok=True)


def _progress(path: Path, key: str) -> Progress | None:
    if not path.is_file():
        return None
    found = read_progress(path)
    return found if found.fingerprint == key else None


def train_step(model: CoDeNet, batch: dict[str, Tensor], optimiser: torch.optim.Optimizer, recipe: Recipe) -> float:
    """Forward, loss, clipped update; returns the loss."""
    loss = detection_loss(model(batch["image"]), batch, recipe.size_weight, recipe.iou_weight)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    optimiser.step()
    return float(loss.detach())


def _epoch(model: CoDeNet, data: SceneCache, optimiser: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> float:
    """One epoch under linear warm-up and cosine decay; the mean loss."""
    steps = data.steps(recipe.batch)
    total, loss = recipe.float_epochs * steps, 0.0
    model.train()
    for step, batch in enumerate(data.epoch(recipe.seed, epoch, recipe.batch, recipe.augment)):
        rate = learning_rate(recipe, stages(recipe)[0], epoch * steps + step, total)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        loss += train_step(model, batch, optimiser, recipe)
    return loss / steps


def _row(run: Run, recipe: Recipe, model: CoDeNet, test: SceneCache, spent: dict[str, float]) -> dict[str, Any]:
    found = measure(model, test)
    images = run.plan.epochs * run.plan.train
    return {
        "key": run.key, "plan": run.plan.name, "variant": run.variant.name, "kind": run.kind.name, "seed": run.seed,
        "ap50": found.ap50.mean, "ap50_per_class": [None if math.isnan(v) else v for v in found.ap50.per_class],
        "ap50_by_height": {k: None if math.isnan(v) else v for k, v in found.by_height.items()},
        "offsets": found.offsets,
        "seconds": round(spent["seconds"], 1), "cpu_seconds": round(spent["cpu_seconds"], 1),
        "images_per_s": round(images / max(spent["cpu_seconds"], 1e-9), 1),
        "parameters": sum(parameter_counts(model)), "macs": conv_macs(model),
        "weights_sha256": _digest(model), "versions": versions(),
        "settings": vars(run.plan) | {"heights": list(run.kind.heights)},
        "config": model.config.to_json(), "recipe": recipe.to_json(),
    }  # fmt: skip


def _digest(model: CoDeNet) -> str:
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if ".act." not in name:  # ranges of quantisers that are off
            total.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return total.hexdigest()


def versions() -> dict[str, str]:
    """What the last bit of a run may depend on."""
    packages = {name: metadata.version(name) for name in ("brevitas", "numpy", "pillow", "scikit-learn")}
    return {"codesign": __version__, "python": platform.python_version(), "torch": torch.__version__, **packages,
            "cpu": torch.backends.cpu.get_cpu_capability(), "processor": _processor(),
            "taps": "torch" if load_kernels() is None else "native"}  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
