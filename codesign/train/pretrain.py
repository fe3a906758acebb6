# SPDX-License-Identifier: Apache-2.0
"""Backbone warm-up: classify crops around annotated objects, cross-entropy on pooled features of the last 1x1.

Published CoDeNets start from ImageNet backbones. Without one, a detector from random weights learns early *where*
objects are and only much later *which*; small crops show each object at about a tenth of a frame's cost, and the
pooled loss reaches the class features directly.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from codesign.data.augment import Augment, recolour
from codesign.nn.codenet import CoDeNet, clone
from codesign.train.batches import SceneCache, to_input
from codesign.train.recipe import Recipe

CROP = 64  # pixels; two by two cells of the backbone's output
_MARGIN = (1.0, 1.7)  # side of the crop over the longer side of the box


def pretrain(model: CoDeNet, data: SceneCache, recipe: Recipe, report: Callable[[str], None]) -> float:
    """Train stem, stages and last 1x1 in place for recipe.pretrain_epochs; returns the last epoch's accuracy."""
    objects = [(k, n) for k, boxes in enumerate(data.boxes) for n in range(len(boxes))]
    if not objects or recipe.pretrain_epochs == 0:
        return 0.0
    device = next(model.parameters()).device
    classifier = nn.Linear(model.last.conv.out_channels, data.classes).to(device)
    backbone = [model.stem, model.stage1, model.stage2, model.stage3, model.last]
    parameters = [p for part in [*backbone, classifier] for p in part.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    size = min(recipe.pretrain_batch, len(objects))
    total, done, accuracy = recipe.pretrain_epochs * (len(objects) // size), 0, 0.0
    model.train()
    for epoch in range(recipe.pretrain_epochs):
        order = np.random.default_rng([recipe.seed, 2_000_000, epoch]).permutation(len(objects))
        hits = 0
        for start in range(0, len(objects) - size + 1, size):
            picks = [objects[k] for k in order[start : start + size]]
            images, labels = _crops(data, picks, [recipe.seed, 2_000_000, epoch, start], recipe.augment)
            for group in optimiser.param_groups:
                group["lr"] = recipe.lr * min((done + 1) / 50, 0.5 * (1 + math.cos(math.pi * done / total)))
            labels = labels.to(device)
            logits = classifier(model.features(images.to(device)).mean((2, 3)))
            loss = F.cross_entropy(logits, labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, recipe.clip)
            optimiser.step()
            hits += int((logits.argmax(1) == labels).sum())
            done += 1
        accuracy = hits / (len(objects) // size * size)
        report(f"warm-up {epoch + 1}/{recipe.pretrain_epochs}: crop accuracy {accuracy:.3f}")
    return accuracy


def crop_speed(model: CoDeNet, data: SceneCache, recipe: Recipe) -> float:
    """Crops a second, from one step on a copy; 0 where there are no objects."""
    objects = [(k, n) for k, boxes in enumerate(data.boxes) for n in range(len(boxes))]
    picks = objects[: recipe.pretrain_batch]
    if not picks:
        return 0.0
    twin, device = clone(model).train(), next(model.parameters()).device
    twin.to(device)
    began = 0.0
    for _ in range(2):
        began = time.monotonic()
        images, _ = _crops(data, picks, [0], recipe.augment)
        twin.features(images.to(device)).mean().backward()
    return len(picks) / (time.monotonic() - began)


def _crops(
    data: SceneCache, picks: list[tuple[int, int]], seed: list[int], how: Augment
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs [B, 3, CROP, CROP] around the picked objects at random margins and positions, labels [B]."""
    rng = np.random.default_rng(seed)
    views, labels = [], []
    for image, number in picks:
        x0, y0, x1, y1 = (float(v) for v in data.boxes[image][number])
        side = max(x1 - x0, y1 - y0, 4.0) * rng.uniform(*_MARGIN)
        slack = 0.4 * np.array([max(0.0, side - (x1 - x0)), max(0.0, side - (y1 - y0))])
        left, top = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - side / 2 + rng.uniform(-1, 1, 2) * slack
        view = Image.fromarray(data.images[image]).transform(
            (CROP, CROP), Image.Transform.EXTENT, (left, top, left + side, top + side), Image.Resampling.BILINEAR,
            fillcolor=tuple(int(v) for v in rng.integers(0, 256, 3)),
        )  # fmt: skip
        views.append(recolour(np.asarray(view), rng, how))
        labels.append(int(data.samples[image].labels[number]))
    return to_input(views), torch.tensor(labels)
