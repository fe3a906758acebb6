# SPDX-License-Identifier: Apache-2.0
"""What a run will take, said before it starts: a few steps of each stage are timed on a copy of the network."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from codesign.nn.codenet import clone, set_mode
from codesign.train.pretrain import crop_speed
from codesign.train.run import Run
from codesign.train.stage import Stage
from codesign.train.step import train_step


def print_budget(run: Run, stages: tuple[Stage, ...], done: int, crops: bool) -> None:
    """One line: images a second and epochs left of each stage, and the sum in minutes."""
    minutes, parts = 0.0, []
    if crops and run.recipe.pretrain_epochs:
        objects, speed = sum(len(b) for b in run.data.boxes), crop_speed(run.model, run.data, run.recipe)
        if speed:
            minutes += run.recipe.pretrain_epochs * objects / speed / 60
            parts.append(f"warm-up {run.recipe.pretrain_epochs} epochs of {objects} crops at {speed:.0f} a second")
    for stage in stages:
        epochs = min(stage.epochs, stage.end - done)
        if epochs > 0:
            speed = _speed(run, stage)
            minutes += epochs * len(run.data) / speed / 60
            parts.append(f"{stage.name} {epochs} epochs at {speed:.1f} images/s")
    text = f"about {minutes:.0f} minutes" if minutes < 180 else f"about {minutes / 60:.1f} hours"
    run.report(f"budget: {len(run.data)} images, {', '.join(parts) or 'nothing left'}: {text}")


def _speed(run: Run, stage: Stage) -> float:
    """Images a second of two steps after one that warms up."""
    model = clone(run.model).to(run.device).train()
    set_mode(model, stage.quantised)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6)
    batches = list(zip(range(3), _cycle(run, stage), strict=False))
    for number, batch in batches:
        if number == 1:
            began = time.monotonic()
        train_step(model, batch, optimiser, run.recipe, run.recipe.bf16 and not stage.quantised)
    return 2 * len(batches[0][1]["image"]) / (time.monotonic() - began)


def _cycle(run: Run, stage: Stage) -> Iterator[dict[str, Tensor]]:
    epoch = 0
    while True:
        for batch in run.data.epoch(run.recipe.seed, epoch, stage.batch, run.recipe.augment):
            yield {name: value.to(run.device) for name, value in batch.items()}
        epoch += 1
