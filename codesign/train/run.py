# SPDX-License-Identifier: Apache-2.0
"""One training run: network, pictures, folder, and what identifies it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from codesign.data.folder import has_split, read_classes, read_split
from codesign.data.sample import Sample
from codesign.errors import UserError
from codesign.nn.codenet import CoDeNet
from codesign.nn.config import NetConfig
from codesign.train.batches import SceneCache
from codesign.train.checkpoint import Progress, read_identity, read_progress
from codesign.train.evaluation import evaluate
from codesign.train.identity import Identity
from codesign.train.recipe import Recipe

Report = Callable[[str], None]


@dataclass
class Run:
    """Mutable state of one run. `metrics` are figures by name; None is 'not measured'."""

    model: CoDeNet
    labels: list[str]
    recipe: Recipe
    data: SceneCache
    test: SceneCache | None
    out: Path
    report: Report
    identity: Identity
    metrics: dict[str, float | None] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of network, recipe and data."""
        return self.identity.fingerprint

    @property
    def checkpoint(self) -> Path:
        """Where the run can go on from."""
        return self.out / "checkpoint.safetensors"

    @property
    def float_model(self) -> Path:
        """Result of the float stage."""
        return self.out / "float.safetensors"

    @property
    def device(self) -> torch.device:
        """Where it trains."""
        return next(self.model.parameters()).device

    def resume_point(self) -> Progress:
        """How far the checkpoint has come; a `UserError` if it is another run's."""
        progress = read_progress(self.checkpoint)
        if progress.fingerprint != self.fingerprint:
            found = self.identity.differences(read_identity(self.checkpoint))
            found = f" ({found})" if found else ""
            raise UserError(f"{self.checkpoint}: belongs to another network, recipe or data{found}; use another output folder or --fresh")
        self.metrics.update(progress.metrics)
        inside = f", {progress.step} steps into the next," if progress.step else ""
        self.report(f"resuming after epoch {progress.epoch}{inside} of {self.recipe.epochs}")
        return progress

    def measure(self, name: str) -> None:
        """AP50 of the network as it is, on the held-out split, as `metrics[name]` and per class."""
        if self.test is None:
            self.metrics[name] = None
            self.report(f"{name} = not measured")
            return
        result = evaluate(self.model, self.test)
        self.metrics[name] = None if math.isnan(result.mean) else result.mean
        for label, value in zip(self.labels, result.per_class, strict=True):
            self.metrics[f"{name}/{label}"] = None if math.isnan(value) else value
        classes = ", ".join(f"{label} {value:.3f}" for label, value in zip(self.labels, result.per_class, strict=True))
        self.report(f"{name} = {result.mean:.4f} ({classes})" if len(classes) <= 120 else f"{name} = {result.mean:.4f}")


def prepare(
    data: Path, recipe: Recipe, out: Path, config: NetConfig, report: Report, start: Path | None = None
) -> Run:
    """Read the folder, make the network with random weights; nothing is written but the output folder."""
    classes = read_classes(data)
    config = replace(config, classes=len(classes))
    samples = [sample.without_crowds() for sample in read_split(data, "train", classes)]
    held_out = _held_out(data, classes, report)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot create the output folder ({error.strerror})") from None
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    model = CoDeNet(config).to(chosen_device(recipe.device), memory_format=torch.channels_last)
    cache = SceneCache(samples, len(classes), config.input_size, recipe.fit)
    test = SceneCache(held_out, len(classes), config.input_size, recipe.fit) if held_out else None
    names = [sample.name for sample in samples]
    identity = Identity.of(config, recipe, classes, names, None if start is None else _digest(start))
    return Run(model, classes, recipe, cache, test, out, report, identity)


def chosen_device(name: str) -> torch.device:
    """'cpu', 'cuda', 'cuda:1', or 'auto': the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"recipe: device {name!r} is unknown; give cpu, cuda, cuda:1 or auto") from None
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise UserError(f"recipe: device {name!r} is not there (PyTorch sees {torch.cuda.device_count()} GPUs); give cpu or auto")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"recipe: device {name!r} is not supported; give cpu, cuda, cuda:1 or auto")
    return device


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _held_out(data: Path, classes: list[str], report: Report) -> list[Sample]:
    """The test split; empty, and said so, where the folder has no list for one. A broken split is an error."""
    if has_split(data, "test"):
        return read_split(data, "test", classes)
    report(f"{data}: no list of test or val pictures, so no held-out split: AP50 is not measured")
    return []
