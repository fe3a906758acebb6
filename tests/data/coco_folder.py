# SPDX-License-Identifier: Apache-2.0
"""A COCO document to begin with, and a folder around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def document(**changes: Any) -> dict[str, Any]:
    """Two pictures; categories of odd ids, out of order; a crowd; a box without width."""
    parts = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
        "categories": [{"id": 90, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [2.5, 3, 20, 30], "area": 400.5, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 18, "bbox": [0, 0, 60, 40], "area": 900, "iscrowd": 1},
            {"id": 3, "image_id": 7, "category_id": 18, "bbox": [5, 5, 0, 4], "area": 0, "iscrowd": 0},
        ],
    }
    return parts | changes


def write_folder(folder: Path, train: str = "instances_train2017", test: str = "instances_val2017", **changes: Any) -> Path:
    """Annotations and pictures as COCO 2017 is unpacked."""
    (folder / "annotations").mkdir(parents=True)
    for name in (train, test):
        (folder / "annotations" / f"{name}.json").write_text(json.dumps(document(**changes)))
        place = folder / name.removeprefix("instances_")
        place.mkdir()
        for picture in ("a.jpg", "b.jpg"):
            Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(place / picture)
    return folder
