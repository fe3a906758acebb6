# SPDX-License-Identifier: Apache-2.0
"""The parameter image: requantisation entries and weight tiles in the order the engines consume them
(docs/architecture.md, "Pointwise engine" and "Depthwise units")."""

from __future__ import annotations

import numpy as np

from codesign.graph.ir import Requant
from codesign.program.config import AcceleratorConfig


def requant_bytes(requant: Requant, channels: np.ndarray) -> np.ndarray:
    """Two beats per entry; ``channels`` holds channel numbers, -1 for an unused lane (all zero: M = 0, B = 0, S = 0)."""
    used = channels >= 0
    safe = np.where(used, channels, 0)
    beats = np.zeros((len(channels), 2), "<u8")
    head = requant.multiplier[safe].astype(np.uint64) | (
        requant.shift[safe].astype(np.uint64) << np.uint64(16)
    )
    bias = requant.bias[safe].astype(np.int64).view(np.uint64) & np.uint64((1 << 48) - 1)
    beats[:, 0] = np.where(used, head, np.uint64(0))
    beats[:, 1] = np.where(used, bias, np.uint64(0))
    return beats.reshape(-1).view(np.uint8)


def weight_bytes(codes: np.ndarray, bits: int) -> np.ndarray:
    """int8 codes, flattened: nibbles (low nibble of a byte first) or bytes."""
    flat = np.ascontiguousarray(codes, dtype=np.int8).reshape(-1).view(np.uint8)
    if bits == 8:
        return flat
    return (flat[0::2] & 0xF) | (flat[1::2] << 4)


class ParamImage:
    """Appends blobs of whole beats; equal keys share one blob."""

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        self._parts: list[np.ndarray] = []
        self._known: dict[object, tuple[int, int]] = {}
        self._size = 0

    def add(self, key: object, make) -> tuple[int, int]:
        """(byte offset, beats) of the blob called ``key``; ``make()`` gives its uint8 bytes when it is new."""
        if key not in self._known:
            blob = make()
            assert blob.size % 8 == 0
            self._known[key] = (self._size, blob.size // 8)
            self._parts.append(blob)
            self._size += blob.size
        return self._known[key]

    def content(self) -> np.ndarray:
        """All blobs, uint8."""
        return np.concatenate([np.zeros(0, np.uint8), *self._parts])
