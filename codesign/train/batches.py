# SPDX-License-Identifier: Apache-2.0
"""Images cached in memory and batches drawn from them; every draw is a function of (seed, epoch, image)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from codesign.data.augment import Augment, augment, resize, scale_boxes
from codesign.data.fit import STRETCH, Fitted, fit_picture
from codesign.data.paste import Paster
from codesign.data.sample import Sample, load_image
from codesign.data.targets import Targets, make_targets
from codesign.evaluate.truth import Truth

_CACHE_SCALE = 1.4  # larger images are cached at this multiple of the input size


def to_input(images: list[np.ndarray]) -> Tensor:
    """uint8 RGB [H, W, 3] images as the network's input: float32 [B, 3, H, W], (pixel - 128) / 128."""
    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return ((stack.float() - 128) / 128).contiguous(memory_format=torch.channels_last)


class SceneCache:
    """A split in memory, fitted to `size` as `fit` says. Batches are dicts: image, heatmap, index, size, offset, mask."""

    def __init__(self, samples: list[Sample], classes: int, size: tuple[int, int], fit: str = STRETCH) -> None:
        self.classes, self.size, self.samples, self.fit = classes, size, samples, fit
        self.images: list[np.ndarray] = []
        self.boxes: list[np.ndarray] = []
        for sample in samples:
            image = load_image(sample.image)
            source = image.shape[:2]
            ratio = max(source[0] / size[0], source[1] / size[1])
            if ratio > _CACHE_SCALE:
                keep = _CACHE_SCALE / ratio
                image = resize(image, (max(1, round(source[0] * keep)), max(1, round(source[1] * keep))))
            self.images.append(image)
            self.boxes.append(scale_boxes(sample.boxes, source, image.shape[:2]))

    @cached_property
    def _paster(self) -> Paster:
        return Paster(self.images, self.boxes, [s.labels for s in self.samples])

    def __len__(self) -> int:
        return len(self.images)

    def epoch(self, seed: int, epoch: int, batch: int, how: Augment, skip: int = 0) -> Iterator[dict[str, Tensor]]:
        """Shuffled, augmented batches without the first `skip`; a last partial one is dropped unless it is the only one."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        for start in range(skip * batch, max(1, len(self) - batch + 1), batch):
            picks = order[start : start + batch]
            yield self._batch([self._view(int(k), np.random.default_rng([seed, epoch, int(k)]), how) for k in picks])

    def steps(self, batch: int) -> int:
        """Batches in an epoch."""
        return max(1, len(self) // batch)

    def plain(self, batch: int) -> Iterator[tuple[Tensor, list[Truth]]]:
        """Unaugmented inputs with their truths in input pixels, in order: from the files, bit for bit what a deployed
        network sees (what is cached may have been scaled before)."""
        for start in range(0, len(self), batch):
            samples = self.samples[start : start + batch]
            fitted = [fit_picture(load_image(sample.image), *self.size, self.fit) for sample in samples]
            truths = [_truth(sample, picture) for sample, picture in zip(samples, fitted, strict=True)]
            yield to_input([picture.pixels for picture in fitted]), truths

    def _view(self, k: int, rng: np.random.Generator, how: Augment) -> tuple[np.ndarray, Targets]:
        image, boxes, labels = self.images[k], self.boxes[k], self.samples[k].labels
        if how.paste:
            image, boxes, labels = self._paster.paste(image, boxes, labels, how.paste, rng)
        image, boxes, labels = augment(image, boxes, labels, self.size, rng, how, self.fit)
        return image, make_targets(boxes, labels, self.classes, self.size)

    def _batch(self, views: list[tuple[np.ndarray, Targets]]) -> dict[str, Tensor]:
        most = max(1, max(len(t.index) for _, t in views))
        index = np.zeros((len(views), most), np.int64)
        mask = np.zeros((len(views), most), bool)
        size, offset = (np.zeros((len(views), most, 2), np.float32) for _ in range(2))
        for row, (_, t) in enumerate(views):
            n = len(t.index)
            index[row, :n], mask[row, :n], size[row, :n], offset[row, :n] = t.index, True, t.size, t.offset
        arrays = {"heatmap": np.stack([t.heatmap for _, t in views]), "index": index, "mask": mask, "size": size,
                  "offset": offset}  # fmt: skip
        return {"image": to_input([v for v, _ in views])} | {k: torch.from_numpy(v) for k, v in arrays.items()}


def _truth(sample: Sample, picture: Fitted) -> Truth:
    """Ground truth in the pixels of the network's input."""
    return Truth(picture.place(sample.boxes), sample.labels, sample.difficult)
