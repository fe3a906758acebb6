# SPDX-License-Identifier: Apache-2.0
"""Copy-paste augmentation: objects of other pictures, rare classes first, blended onto free background.

Small and rare objects are what a detector with few pictures sees too seldom (arXiv 1902.07296). A patch is cut with a
margin, flipped and scaled, and blended in with a soft elliptical mask, only where it covers no annotated object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

_MARGIN = 0.12  # of the box's sides, on each side
_TRIES = 12
_ZOOM = (0.8, 1.25)


@dataclass(frozen=True)
class Donor:
    """One annotated object of the training pictures."""

    picture: int
    box: np.ndarray
    label: int


class Paster:
    """Draws donors with a probability inverse to how often their class occurs."""

    def __init__(self, images: list[np.ndarray], boxes: list[np.ndarray], labels: list[np.ndarray]) -> None:
        self.images = images
        self.donors = [
            Donor(k, box, int(label))
            for k in range(len(images)) for box, label in zip(boxes[k], labels[k], strict=True)
            if (box[2:] - box[:2]).min() >= 4
        ]  # fmt: skip
        classes = np.array([d.label for d in self.donors], np.int64)
        share = 1 / np.bincount(classes)[classes] if len(classes) else np.zeros(0)
        self.cumulative = np.cumsum(share / max(1e-12, share.sum()))

    def paste(
        self, image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, most: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`image` uint8 [h, w, 3] with up to `most` more objects, and its boxes [n, 4] and labels [n]."""
        image = image.copy()
        for _ in range(int(rng.integers(0, most + 1)) if self.donors else 0):
            pick = int(np.searchsorted(self.cumulative, rng.random()))
            donor = self.donors[min(pick, len(self.donors) - 1)]
            patch, inner = self._patch(donor, rng)
            at = _free_place(patch.shape, image.shape, boxes, rng)
            if at is None:
                continue
            _blend(image, patch, at)
            box = inner + np.array([at[1], at[0]] * 2, np.float32)
            boxes = np.concatenate([boxes, box[None].astype(boxes.dtype)])
            labels = np.append(labels, donor.label)
        return image, boxes, labels

    def _patch(self, donor: Donor, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The object with its margin at a new size, flipped at random; its box inside the patch."""
        source = self.images[donor.picture]
        x0, y0, x1, y1 = donor.box
        mx, my = _MARGIN * (x1 - x0), _MARGIN * (y1 - y0)
        left, top = max(0, int(x0 - mx)), max(0, int(y0 - my))
        right, bottom = min(source.shape[1], int(np.ceil(x1 + mx))), min(source.shape[0], int(np.ceil(y1 + my)))
        zoom = rng.uniform(*_ZOOM)
        h, w = max(4, round((bottom - top) * zoom)), max(4, round((right - left) * zoom))
        cut = Image.fromarray(source[top:bottom, left:right]).resize((w, h), Image.Resampling.BILINEAR)
        ratio = np.array([w / (right - left), h / (bottom - top)] * 2, np.float32)
        inner = np.clip((donor.box - np.array([left, top] * 2)) * ratio, 0, [w, h, w, h]).astype(np.float32)
        patch = np.asarray(cut)
        if rng.random() < 0.5:
            patch, inner = patch[:, ::-1], np.array([w - inner[2], inner[1], w - inner[0], inner[3]], np.float32)
        if rng.random() < 0.5:
            patch, inner = patch[::-1], np.array([inner[0], h - inner[3], inner[2], h - inner[1]], np.float32)
        return patch, inner


def _free_place(
    patch: tuple[int, ...], image: tuple[int, ...], boxes: np.ndarray, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Row and column where the patch covers no box by more than a tenth of either, or None after a few tries."""
    h, w = patch[:2]
    if h >= image[0] or w >= image[1]:
        return None
    for _ in range(_TRIES):
        top, left = int(rng.integers(0, image[0] - h)), int(rng.integers(0, image[1] - w))
        corner = np.array([left, top, left + w, top + h])
        side = np.minimum(boxes[:, 2:], corner[2:]) - np.maximum(boxes[:, :2], corner[:2])
        common = np.prod(np.maximum(side, 0), axis=1)
        smaller = np.minimum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), h * w)
        if not (common > 0.1 * smaller).any():
            return top, left
    return None


def _blend(image: np.ndarray, patch: np.ndarray, at: tuple[int, int]) -> None:
    """Alpha 1 inside an ellipse, falling to 0 towards the corners, in place."""
    h, w = patch.shape[:2]
    y, x = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    alpha = np.clip((1.25 - np.sqrt(y * y + x * x)) / 0.25, 0, 1)[..., None]
    below = image[at[0] : at[0] + h, at[1] : at[1] + w]
    image[at[0] : at[0] + h, at[1] : at[1] + w] = np.round(patch * alpha + below * (1 - alpha)).astype(np.uint8)
