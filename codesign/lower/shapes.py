# SPDX-License-Identifier: Apache-2.0
"""The widths and depths of CoDeNet, configurations a to e (arXiv 2006.08357), and of the tiny t."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codesign.errors import UserError


@dataclass(frozen=True)
class CodenetShape:
    """One network. ``size`` is the published input side in pixels, ``units`` the ShuffleNetV2 units per stage."""

    name: str
    size: int
    stem: str  # "s4": stride 4; "s2max": stride 2, then max-pool 3x3 stride 2
    stages: tuple[int, int, int]
    last: int
    stem_channels: int = 24
    units: tuple[int, int, int] = (4, 8, 4)
    decoder: tuple[int, int, int] = (256, 128, 64)
    head: int = 64


_NARROW = ((116, 232, 464), 1024)
_WIDE = ((244, 488, 976), 2153)
SHAPES = {
    "a": CodenetShape("a", 256, "s4", *_NARROW),
    "b": CodenetShape("b", 256, "s2max", *_NARROW),
    "c": CodenetShape("c", 512, "s4", *_NARROW),
    "d": CodenetShape("d", 512, "s4", *_WIDE),
    "e": CodenetShape("e", 512, "s2max", *_WIDE),
    "t": CodenetShape("t", 64, "s2max", (28, 56, 112), 256, stem_channels=16, decoder=(64, 32, 32), head=32),
}


def codenet_shape(config: str | Mapping[str, object]) -> CodenetShape:
    """The shape of a configuration's letter, or of ``b`` with the fields of a mapping replaced."""
    if isinstance(config, str):
        if config not in SHAPES:
            raise UserError(f"configuration {config!r} is not known; pick one of {', '.join(SHAPES)}")
        return SHAPES[config]
    try:
        return replace(SHAPES["b"], **{"name": "custom", **config})  # type: ignore[arg-type]
    except TypeError:
        known = ", ".join(CodenetShape.__dataclass_fields__)
        raise UserError(f"configuration has an unknown field among {sorted(config)}; known: {known}") from None
