# SPDX-License-Identifier: Apache-2.0
"""What a study will cost: measured speed of each form times images times runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from codesign.study.plan import CLASSES, STARTS, Run
from codesign.study.training import recipe_of, train_step
from codesign.train.batches import SceneCache
from codesign.train.stage import make_optimiser, stages


def images_per_second(run: Run, data: SceneCache, steps: int = 2) -> float:
    """Training speed of one form, loading and augmentation included, on throw-away weights."""
    from codesign.nn.codenet import CoDeNet

    torch.set_num_threads(1)
    recipe = recipe_of(run.plan, run.seed)
    model = CoDeNet(run.variant.network(run.plan.size, CLASSES)).to(memory_format=torch.channels_last).train()
    optimiser = make_optimiser(model, recipe, stages(recipe)[0])
    began, seen, batches = 0.0, 0, 0
    while batches <= steps:
        for batch in data.epoch(run.seed, 0, recipe.batch, recipe.augment):
            train_step(model, batch, optimiser, recipe)
            if batches == 0:
                began = time.monotonic()  # the first step warms up
            else:
                seen += len(batch["image"])
            batches += 1
            if batches > steps:
                break
    return seen / (time.monotonic() - began)


def budget(todo: Sequence[Run], everything: int, data: SceneCache, started: bool) -> list[str]:
    """Lines to print before anything long begins; `started` says whether runs have their start."""
    plan = todo[0].plan
    forms = {run.variant.name: run for run in todo}
    speeds = {name: images_per_second(run, data) for name, run in forms.items()}
    images = plan.epochs * plan.train
    seconds = sum(images / speeds[run.variant.name] for run in todo)
    each = plan.warm_up * plan.train * len(STARTS)
    warm = 0 if started else each / max(speeds.values())
    lines = [f"budget: {everything} runs, {everything - len(todo)} finished, {len(todo)} to do; each {plan.train} scenes × "
             f"{plan.epochs} epochs = {images} images"]  # fmt: skip
    for name, speed in speeds.items():
        count = sum(run.variant.name == name for run in todo)
        lines.append(f"  {name:<9} {speed:6.1f} images/s × {count} runs: {count * images / speed / 60:5.1f} min")
    if warm:
        lines.append(f"  start     {each:,} images, once for all runs: {warm / 60:5.1f} min")
    lines.append(f"about {(seconds + warm) / 60:.0f} minutes on one thread; Ctrl-C loses nothing, the same command goes on")
    return lines
