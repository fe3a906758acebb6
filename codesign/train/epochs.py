# SPDX-License-Identifier: Apache-2.0
"""The epochs of one stage: steps, averages, checkpoints between them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from codesign.nn.codenet import CoDeNet, clone, set_mode
from codesign.nn.float_file import load_float
from codesign.train import journal
from codesign.train.checkpoint import Progress, load_checkpoint, load_optimiser, save_checkpoint
from codesign.train.ema import Ema
from codesign.train.evaluation import evaluate
from codesign.train.interrupt import deferred_interrupt
from codesign.train.run import Run
from codesign.train.stage import Stage, learning_rate, make_optimiser
from codesign.train.step import train_step


@dataclass
class Live:
    """What changes with every step of a stage: network, average, optimiser; and the teacher, which does not."""

    run: Run
    stage: Stage
    ema: Ema
    optimiser: torch.optim.Optimizer
    teacher: CoDeNet | None
    saved: float = field(default_factory=time.monotonic)

    @staticmethod
    def fresh(run: Run, stage: Stage) -> Live:
        """At a stage's first step."""
        return Live(run, stage, Ema(run.model, run.recipe.ema), make_optimiser(run.model, run.recipe, stage), _teacher(run, stage))

    @staticmethod
    def restored(run: Run, stage: Stage) -> Live:
        """From the checkpoint.

        The model comes first: Brevitas replaces its range parameters when it loads a state, and the optimiser has to
        hold the new ones.
        """
        set_mode(run.model, stage.quantised)
        ema = Ema(run.model, run.recipe.ema)
        load_checkpoint(run.checkpoint, run.model, ema)
        optimiser = make_optimiser(run.model, run.recipe, stage)
        load_optimiser(run.checkpoint, optimiser)
        return Live(run, stage, ema, optimiser, _teacher(run, stage))

    def save(self, point: Progress) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.run.checkpoint, point, self.run.model, self.ema, self.optimiser, self.run.identity.values)
        self.saved = time.monotonic()


def _teacher(run: Run, stage: Stage) -> CoDeNet | None:
    if not stage.quantised or not run.recipe.distil:
        return None
    return load_float(run.float_model)[0].to(run.device, memory_format=torch.channels_last).eval().requires_grad_(False)


def run_epochs(live: Live, point: Progress, stop_after: int | None, eval_every: int) -> Progress:
    """From `point` to the stage's end, or until `stop_after` epochs of the run are done; returns where it ended."""
    run, stage = live.run, live.stage
    until = stage.end if stop_after is None else min(stage.end, stop_after)
    began, first = time.monotonic(), point.epoch
    while point.epoch < until:
        loss = _epoch(live, point)
        point = Progress(point.epoch + 1, run.fingerprint, run.metrics, stage.name)
        live.save(point)
        seconds = time.monotonic() - began
        score = _score(live) if eval_every and point.epoch % eval_every == 0 else None
        _say(live, point, loss, seconds, seconds / (point.epoch - first) * (stage.end - point.epoch), score)
    return point


def _epoch(live: Live, point: Progress) -> float:
    """Epoch `point.epoch` from `point.step` on; returns the mean loss."""
    run, recipe, stage = live.run, live.run.recipe, live.stage
    steps = run.data.steps(stage.batch)
    done = point.epoch - stage.first
    _set_training(run.model, stage.quantised and done >= (1 - recipe.freeze_bn) * stage.epochs)
    total = point.loss
    batches = run.data.epoch(recipe.seed, point.epoch, stage.batch, recipe.augment, point.step)
    with deferred_interrupt() as interrupted:
        for step, batch in enumerate(batches, point.step):
            rate = learning_rate(recipe, stage, done * steps + step, stage.epochs * steps)
            for group in live.optimiser.param_groups:
                group["lr"] = rate * group["factor"]
            batch = {name: value.to(run.device) for name, value in batch.items()}
            half = recipe.bf16 and not stage.quantised
            total += train_step(run.model, batch, live.optimiser, recipe, half, live.teacher)
            live.ema.update(run.model)
            if interrupted() or time.monotonic() - live.saved >= recipe.save_seconds:
                live.save(replace(point, step=step + 1, loss=total))
            if interrupted():
                raise KeyboardInterrupt
    return total / steps


def _set_training(model: CoDeNet, frozen: bool) -> None:
    """Training mode; `frozen` leaves BN on its running statistics, as deployed."""
    model.train()
    for module in model.modules():
        if frozen and isinstance(module, nn.BatchNorm2d):
            module.eval()


def _score(live: Live) -> float | None:
    if live.run.test is None:
        return None
    average = clone(live.run.model).to(live.run.device)
    live.ema.copy_to(average)
    return evaluate(average, live.run.test).mean


def _say(live: Live, point: Progress, loss: float, seconds: float, left: float, score: float | None) -> None:
    stage = live.stage
    rate = learning_rate(live.run.recipe, stage, point.epoch - stage.first, stage.epochs)
    row = {"epoch": point.epoch, "stage": stage.name, "loss": f"{loss:.4f}", "rate": f"{rate:.3g}", "seconds": f"{seconds:.1f}"}
    journal.append(live.run.out, row if score is None else row | {"ap50": f"{score:.4f}"})
    text = f"epoch {point.epoch}/{live.run.recipe.epochs} {stage.name} loss {loss:.4f}"
    scored = "" if score is None else f" AP50 {score:.4f}"
    live.run.report(f"{text}{scored}, stage ends in {left / 60:.1f} min")
