# SPDX-License-Identifier: Apache-2.0
"""What is annotated in one picture, as the metrics read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Truth:
    """Ground truth of one image: boxes [n, 4] (xmin, ymin, xmax, ymax) in pixel edges, labels int [n], difficult bool [n].

    ``crowd`` bool [n] marks boxes around a group (they are difficult too, and COCO counts any detection inside one
    as neither right nor wrong). ``areas`` [n] in square pixels replaces the boxes' own areas in COCO's three sizes:
    COCO's annotations give the objects' outlines' areas. Both may be None.
    """

    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray | None = None
    areas: np.ndarray | None = None


def iou(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """IoU [n] of boxes [n, 4] with one box [4], continuous pixel edges."""
    inter = intersection(boxes, box)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - inter
    return inter / np.maximum(area, 1e-12)


def intersection(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Common area [n] of boxes [n, 4] and one box [4]."""
    side = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    return np.prod(np.maximum(side, 0), axis=1)
