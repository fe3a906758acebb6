# SPDX-License-Identifier: Apache-2.0
"""A detector that runs the network in full precision, from a training run's float.safetensors."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from codesign.data.fit import STRETCH, checked_fit
from codesign.decode import Detections, decode


class FloatDetector:
    """As `Detector`, for a float model file: BN folded, no quantiser but the offsets' own rounding."""

    on = "float"

    def __init__(self, path: Path) -> None:
        from codesign.nn.codenet import fuse
        from codesign.nn.float_file import load_float

        model, self._info = load_float(path)
        self._network = fuse(model)
        self._path = path

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self._info.config.input_size

    @property
    def labels(self) -> list[str]:
        """Class names."""
        return list(self._info.labels)

    @cached_property
    def fit(self) -> str:
        """How training fitted its pictures."""
        return checked_fit(self._info.recipe.get("fit", STRETCH), f"{self._path}: fit")

    def detect(self, pixels: np.ndarray) -> Detections:
        """Boxes in input pixels, best first, of uint8 RGB [H, W, 3] of the network's size."""
        import torch

        from codesign.train.batches import to_input

        with torch.no_grad():
            heads = self._network(to_input([pixels]))
        return decode(*(heads[name][0].double().numpy() for name in ("hm", "wh", "reg")))
