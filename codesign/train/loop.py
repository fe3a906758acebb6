# SPDX-License-Identifier: Apache-2.0
"""Training: a float stage, calibration, then a quantised stage on the same module tree.

`train` prints its budget first (images/s times images times epochs), writes a checkpoint after every epoch, and inside
long ones, and goes on from it when started again; a run that was killed ends with the same weights as one that was not.
Everything that is random is a function of the seed and the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codesign.nn.codenet import calibrate, set_mode
from codesign.nn.config import NetConfig, named_config
from codesign.nn.equalise import equalise
from codesign.nn.float_file import save_float
from codesign.nn.model_file import save_model
from codesign.train import journal
from codesign.train.budget import print_budget
from codesign.train.checkpoint import Progress
from codesign.train.epochs import Live, run_epochs
from codesign.train.initial import start_from
from codesign.train.pretrain import pretrain
from codesign.train.recipe import Recipe
from codesign.train.run import Report, Run, prepare
from codesign.train.stage import Stage, stages


@dataclass(frozen=True)
class TrainResult:
    """Deployed model file (None without a quantised stage), float model file, and their AP50 (None: not measured)."""

    model: Path | None
    float_model: Path
    ap50_float: float | None
    ap50_quantised: float | None


def train(
    data: Path, recipe: Recipe, out: Path, *, config: NetConfig | None = None, start: Path | None = None,
    resume: bool = True, report: Report = print, stop_after: int | None = None, eval_every: int = 0,
) -> TrainResult | None:  # fmt: skip
    """Train on a data folder; writes out/{float,model,checkpoint}.safetensors, out/log.csv and out/log.png.

    `config` defaults to configuration b; its class count follows the folder. `start`: a float model file of an earlier
    run, or ImageNet weights of ShuffleNetV2 in torchvision's naming. `stop_after` ends early after that many epochs in
    all (the run can be resumed) and returns None. Every `eval_every` epochs the average's AP50 is logged.
    """
    run = prepare(Path(data), recipe, Path(out), config or named_config("b"), report, start)
    point = run.resume_point() if resume and run.checkpoint.exists() else None
    if point is None and start is not None:  # a wrong file is refused before anything is timed
        report(start_from(run.model, start))
    print_budget(run, stages(recipe), 0 if point is None else point.epoch, crops=point is None and start is None)
    if point is None:
        journal.clear(run.out)
        if start is None:
            _warm_up(run)
    live: Live | None = None
    try:
        for stage in stages(recipe):
            if (stage.quantised and not stage.epochs) or (point is not None and point.stage == "quantised" != stage.name):
                continue
            if point is not None and point.stage == stage.name:
                live = Live.restored(run, stage)
            else:
                live = _enter(run, stage, live)
                point = Progress(stage.first, run.fingerprint, run.metrics, stage.name)
                live.save(point)
            point = run_epochs(live, point, stop_after, eval_every)
            if point.epoch < stage.end or point.epoch == stop_after:
                return None
    finally:
        journal.plot(run.out)
    return _finish(run, live)


def _warm_up(run: Run) -> None:
    """Random weights become a start by crops of objects; the first checkpoint is written after it."""
    try:
        pretrain(run.model, run.data, run.recipe, run.report)
    except KeyboardInterrupt:
        run.report("interrupted in the warm-up, of which nothing is kept: it starts over")
        raise


def _enter(run: Run, stage: Stage, before: Live | None) -> Live:
    """The first step of a stage: optimiser and average anew; for the quantised one, channels and ranges from calibration."""
    if stage.quantised:
        _leave_float(run, before)
        recipe = run.recipe
        batches = run.data.epoch(recipe.seed, 1_000_000, recipe.qat_batch, recipe.augment)
        images = [b["image"].to(run.device) for b, _ in zip(batches, range(recipe.calibration_batches), strict=False)]
        if recipe.equalise:
            run.report(f"channels equalised: {equalise(run.model, images)} tensors")
        calibrate(run.model, images, recipe.calibration)
        set_mode(run.model, True)
        run.measure("ap50_post_training")
    return Live.fresh(run, stage)


def _leave_float(run: Run, live: Live | None) -> None:
    """The float stage's result: its average, measured and written."""
    if live is not None:
        live.ema.copy_to(run.model)
    run.measure("ap50_float")
    save_float(run.float_model, run.model, labels=run.labels, metrics=run.metrics, recipe=run.recipe.to_json())


def _finish(run: Run, live: Live) -> TrainResult:
    if run.recipe.qat_epochs == 0:
        _leave_float(run, live)
        run.report(f"wrote {run.float_model}")
        return TrainResult(None, run.float_model, run.metrics["ap50_float"], None)
    live.ema.copy_to(run.model)
    run.measure("ap50_quantised")
    path = run.out / "model.safetensors"
    save_model(path, run.model, labels=run.labels, metrics=run.metrics, recipe=run.recipe.to_json())
    run.report(f"wrote {path}")
    return TrainResult(path, run.float_model, run.metrics.get("ap50_float"), run.metrics["ap50_quantised"])
